package errs

import "maps"

// Data returns what the caller's program gets beside the code: the error's fields, its reason, and its kind where several
// kinds share the code. A refusal has none, so that it cannot differ from a miss; that a key lacks a scope is told, because
// it depends on the key and the operation alone.
func Data(e *Error) map[string]string {
	data := map[string]string{}
	if e.Kind != Denied {
		maps.Copy(data, e.Fields)
	}
	if e.Reason != "" && (e.Kind != Denied || e.Reason == ScopeMissing) {
		data["reason"] = string(e.Reason)
	}
	switch RPC(e) {
	case Precondition.RPC(), Internal.RPC():
		data["kind"] = e.Kind.String()
	}
	return data
}
