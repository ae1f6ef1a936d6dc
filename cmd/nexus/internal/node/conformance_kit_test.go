package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// The public conformance suite asks a server for tools, resources and prompts of its own, by name. They are added here, for
// the test alone: what is tried is the way of the protocol through the server, not they.

// dot is a PNG of one pixel, silence a WAV of one silent sample.
var (
	dot     = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82")
	silence = []byte("RIFF&\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00@\x1f\x00\x00\x80>\x00\x00\x02\x00\x10\x00data\x02\x00\x00\x00\x00\x00")
)

func text(s string) sdk.Content { return &sdk.TextContent{Text: s} }

func picture() sdk.Content { return &sdk.ImageContent{Data: dot, MIMEType: "image/png"} }

func embedded(uri, body string) sdk.Content {
	return &sdk.EmbeddedResource{Resource: &sdk.ResourceContents{URI: uri, MIMEType: "text/plain", Text: body}}
}

// fixed is a tool that always says the same.
func fixed(all ...sdk.Content) sdk.ToolHandler {
	return func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return &sdk.CallToolResult{Content: all}, nil
	}
}

// anything is the schema of tools whose arguments do not matter.
var anything = json.RawMessage(`{"type":"object"}`)

// suiteTools are the tools that the suite calls.
var suiteTools = []struct {
	name   string
	schema json.RawMessage
	do     sdk.ToolHandler
}{
	{"test_simple_text", anything, fixed(text("This is a simple text response for testing."))},
	{"test_image_content", anything, fixed(picture())},
	{"test_audio_content", anything, fixed(&sdk.AudioContent{Data: silence, MIMEType: "audio/wav"})},
	{"test_embedded_resource", anything, fixed(embedded("test://embedded-resource", "This is an embedded resource content."))},
	{"test_multiple_content_types", anything, fixed(text("Multiple content types test:"), picture(), embedded("test://mixed-content-resource", "{}"))},
	{"test_streaming_elicitation", anything, fixed(text("nothing is asked"))},
	{"test_error_handling", anything, failing},
	{"test_tool_with_logging", anything, logging},
	{"test_logging_tool", anything, logging},
	{"test_tool_with_progress", anything, progressing},
	{"test_missing_capability", anything, demanding},
	{"test_sampling", anything, sampling},
	{"test_elicitation", anything, eliciting(`{"username":{"type":"string","description":"who"},"email":{"type":"string","description":"where"}}`)},
	{"test_elicitation_sep1034_defaults", anything, eliciting(`{
		"name":{"type":"string","default":"John Doe"},"age":{"type":"integer","default":30},"score":{"type":"number","default":95.5},
		"status":{"type":"string","enum":["active","inactive","pending"],"default":"active"},"verified":{"type":"boolean","default":true}}`)},
	{"test_elicitation_sep1330_enums", anything, eliciting(`{
		"untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
		"titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},{"const":"value2","title":"Second Option"}]},
		"legacyEnum":{"type":"string","enum":["opt1","opt2"],"enumNames":["Option One","Option Two"]},
		"untitledMulti":{"type":"array","minItems":1,"items":{"type":"string","enum":["option1","option2"]}},
		"titledMulti":{"type":"array","minItems":1,"items":{"anyOf":[{"const":"value1","title":"First Choice"},{"const":"value2","title":"Second Choice"}]}}}`)},
	{"json_schema_2020_12_tool", json.RawMessage(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object",
		"$defs":{"address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
		"properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},
			"phone":{"type":"string"},"email":{"type":"string"}},
		"allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
		"if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},
		"then":{"required":["phone"]},"else":{"required":["email"]},"additionalProperties":false}`), fixed(text("read"))},
	{"test_x_mcp_header", json.RawMessage(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},"level":{"type":"integer"}}}`), fixed(text("read"))},
}

func failing(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	r := &sdk.CallToolResult{}
	r.SetError(errors.New("This tool intentionally returns an error for testing")) //nolint:staticcheck // the suite's own words
	return r, nil
}

func logging(ctx context.Context, call *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	for _, line := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
		if err := call.Session.Log(ctx, &sdk.LoggingMessageParams{Level: "info", Data: line}); err != nil {
			return nil, err
		}
	}
	return fixed(text("logged"))(ctx, call)
}

func progressing(ctx context.Context, call *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	for _, done := range []float64{0, 50, 100} {
		p := &sdk.ProgressNotificationParams{ProgressToken: call.Params.GetProgressToken(), Progress: done, Total: 100}
		if err := call.Session.NotifyProgress(ctx, p); err != nil {
			return nil, err
		}
	}
	return fixed(text("done"))(ctx, call)
}

func demanding(ctx context.Context, call *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	if c := call.ClientCapabilities(); c != nil && c.Sampling != nil {
		return fixed(text("done"))(ctx, call)
	}
	lacking, err := json.Marshal(sdk.MissingRequiredClientCapabilityData{RequiredCapabilities: &sdk.ClientCapabilities{Sampling: &sdk.SamplingCapabilities{}}})
	if err != nil {
		return nil, err
	}
	return nil, &jsonrpc.Error{Code: sdk.CodeMissingRequiredClientCapabilities, Message: "this tool needs sampling", Data: lacking}
}

func sampling(ctx context.Context, call *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
	var given struct{ Prompt string }
	if err := json.Unmarshal(call.Params.Arguments, &given); err != nil {
		return nil, err
	}
	said, err := call.Session.CreateMessage(ctx, &sdk.CreateMessageParams{ //nolint:staticcheck // the older revision has it
		Messages: []*sdk.SamplingMessage{{Role: "user", Content: text(given.Prompt)}}, MaxTokens: 100,
	})
	if err != nil {
		return nil, err
	}
	return fixed(text(fmt.Sprintf("LLM response: %v", said.Content)))(ctx, call)
}

// eliciting is a tool that asks the user for properties.
func eliciting(properties string) sdk.ToolHandler {
	return func(ctx context.Context, call *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		said, err := call.Session.Elicit(ctx, &sdk.ElicitParams{
			Message: "what the suite wants to know", RequestedSchema: json.RawMessage(`{"type":"object","properties":` + properties + `}`),
		})
		if err != nil {
			return nil, err
		}
		return fixed(text(fmt.Sprintf("Elicitation completed: action=%s, content=%v", said.Action, said.Content)))(ctx, call)
	}
}

// extend adds to a server what the suite asks for.
func extend(s *sdk.Server) {
	for _, t := range suiteTools {
		s.AddTool(&sdk.Tool{Name: t.name, Description: "for the conformance suite", InputSchema: t.schema}, t.do)
	}
	s.AddResource(&sdk.Resource{Name: "text", URI: "test://static-text", MIMEType: "text/plain"}, resource(func(string) *sdk.ResourceContents {
		return &sdk.ResourceContents{Text: "This is the content of the static text resource."}
	}))
	s.AddResource(&sdk.Resource{Name: "binary", URI: "test://static-binary", MIMEType: "image/png"}, resource(func(string) *sdk.ResourceContents {
		return &sdk.ResourceContents{Blob: dot}
	}))
	s.AddResourceTemplate(&sdk.ResourceTemplate{Name: "template", URITemplate: "test://template/{id}/data", MIMEType: "application/json"},
		resource(func(uri string) *sdk.ResourceContents {
			id := ""
			_, _ = fmt.Sscanf(uri, "test://template/%3s", &id)
			return &sdk.ResourceContents{Text: fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, id, id)}
		}))
	for _, p := range prompts() {
		s.AddPrompt(p.prompt, p.get)
	}
	s.AddTool(&sdk.Tool{Name: "test_trigger_tool_change", Description: "for the conformance suite", InputSchema: anything}, func(ctx context.Context, call *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		s.AddTool(&sdk.Tool{Name: "test_added", Description: "for the conformance suite", InputSchema: anything}, fixed())
		return fixed(text("added"))(ctx, call)
	})
	s.AddTool(&sdk.Tool{Name: "test_trigger_prompt_change", Description: "for the conformance suite", InputSchema: anything}, func(ctx context.Context, call *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		s.AddPrompt(&sdk.Prompt{Name: "test_added", Description: "for the conformance suite"}, prompts()[0].get)
		return fixed(text("added"))(ctx, call)
	})
}

func resource(contents func(uri string) *sdk.ResourceContents) sdk.ResourceHandler {
	return func(_ context.Context, r *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		c := contents(r.Params.URI)
		c.URI = r.Params.URI
		return &sdk.ReadResourceResult{Contents: []*sdk.ResourceContents{c}}, nil
	}
}

type prompt struct {
	prompt *sdk.Prompt
	get    sdk.PromptHandler
}

func prompts() []prompt {
	say := func(all func(map[string]string) []sdk.Content) sdk.PromptHandler {
		return func(_ context.Context, r *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
			out := &sdk.GetPromptResult{}
			for _, c := range all(r.Params.Arguments) {
				out.Messages = append(out.Messages, &sdk.PromptMessage{Role: "user", Content: c})
			}
			return out, nil
		}
	}
	argument := func(names ...string) (all []*sdk.PromptArgument) {
		for _, n := range names {
			all = append(all, &sdk.PromptArgument{Name: n, Required: true})
		}
		return all
	}
	return []prompt{
		{&sdk.Prompt{Name: "test_simple_prompt", Description: "for the conformance suite"}, say(func(map[string]string) []sdk.Content {
			return []sdk.Content{text("This is a simple prompt for testing.")}
		})},
		{&sdk.Prompt{Name: "test_prompt_with_arguments", Description: "for the conformance suite", Arguments: argument("arg1", "arg2")}, say(func(a map[string]string) []sdk.Content {
			return []sdk.Content{text(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", a["arg1"], a["arg2"]))}
		})},
		{&sdk.Prompt{Name: "test_prompt_with_embedded_resource", Description: "for the conformance suite", Arguments: argument("resourceUri")}, say(func(a map[string]string) []sdk.Content {
			return []sdk.Content{embedded(a["resourceUri"], "Embedded resource content for testing."), text("Please process it.")}
		})},
		{&sdk.Prompt{Name: "test_prompt_with_image", Description: "for the conformance suite"}, say(func(map[string]string) []sdk.Content {
			return []sdk.Content{picture(), text("Please look at it.")}
		})},
	}
}
