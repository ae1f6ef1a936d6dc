package api

import (
	"nexus/apiserver/op"
	"nexus/internal/errs"
)

// UploadParams are those of files.upload. The contents are the body.
type UploadParams struct {
	PathParams
	IfMatch     string `json:"if_match" doc:"write only over this etag; * means over any file"`
	IfNoneMatch bool   `json:"if_none_match" doc:"create only (default: false)"`
	Append      bool   `json:"append" audit:"plain" doc:"put the body behind what is there (default: false)"`
	Key         string `json:"idempotency_key" doc:"a request that is sent again with its key within 24 hours is not carried out again"`
}

// AnyEtag is the if_match of whoever writes over a file, whatever its etag.
const AnyEtag = "*"

// maxKey bounds the length of an idempotency key, in bytes.
const maxKey = 255

// Clean refuses conditions that cannot both hold.
func (p *UploadParams) Clean() error {
	switch {
	case p.IfMatch != "" && p.IfNoneMatch:
		return errs.New(errs.Invalid, "if_match and if_none_match cannot both hold")
	case len(p.Key) > maxKey:
		return errs.New(errs.Invalid, "an idempotency key has at most %d bytes", maxKey)
	}
	return p.PathParams.Clean()
}

// UploadResult is the version that an upload made.
type UploadResult struct {
	WriteResult
	Created bool `json:"created"`
	// Replayed says that an earlier request with the same key made it.
	Replayed bool `json:"-"`
}

// Operations that carry contents as they are, of any length.
var (
	Upload = &op.Contract[UploadParams, UploadResult]{
		Decl: op.Decl{
			Name: "files.upload", As: Write.Name, Routes: []string{"PUT /api/files/{path}", "PATCH /api/files/{path}"}, Access: op.Writes,
			Summary: "Write a file from a body of any length, or append to it.",
			Doc: "Needs what files.write needs: before the first byte, and again when the whole body is there. PUT replaces the contents, PATCH appends. " +
				"Nothing is left of a body that breaks off. If-Match, If-None-Match and Idempotency-Key are headers.",
		},
		Sample: UploadParams{PathParams: PathParams{"/sample/file.txt"}},
	}
	Download = &op.Contract[PathParams, struct{}]{
		Decl: op.Decl{
			Name: "files.download", As: Read.Name, Routes: []string{"GET /api/files/{path}", "HEAD /api/files/{path}"}, Access: op.Reads, Prompt: true, Contents: true,
			Summary: "Read the contents of a file of any length, whole or in part.",
			Doc:     "Needs what files.read needs, again each second while bytes leave. Range, If-Range and If-None-Match are headers.",
		},
		Sample: PathParams{"/sample/file.txt"},
	}
)
