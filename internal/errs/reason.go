package errs

// Reason is a stable name, finer than a Kind. A row in reasons may give it a JSON-RPC code of its own.
type Reason string

const (
	FileNotFound     Reason = "FILE_NOT_FOUND"
	FileExists       Reason = "FILE_EXISTS"
	InvalidPath      Reason = "INVALID_PATH"
	NotValid         Reason = "VALIDATION"
	MethodNotFound   Reason = "METHOD_NOT_FOUND"
	InvalidRequest   Reason = "INVALID_REQUEST"
	ParseFailed      Reason = "PARSE_ERROR"
	EtagMismatch     Reason = "ETAG_MISMATCH"
	BodyTooLarge     Reason = "BODY_TOO_LARGE"
	RateLimited      Reason = "RATE_LIMITED"
	NoRelation       Reason = "NO_RELATION"     // relations do not hold
	PolicyRefused    Reason = "POLICY_REFUSED"  // relations hold, a rule refuses
	OutsideMandate   Reason = "OUTSIDE_MANDATE" // an actor's mandate leaves it out
	Undecided        Reason = "UNDECIDED"       // relations hold, the rules could not be asked
	NotRecorded      Reason = "NOT_RECORDED"    // the record could not be written
	StaleDecision    Reason = "STALE_DECISION"  // what was decided changed before the commit
	ScopeMissing     Reason = "SCOPE_MISSING"   // the key's scopes leave it out
	LastAdmin        Reason = "LAST_ADMIN"      // nobody would be left who administers
	DiskFull         Reason = "DISK_FULL"
	KeyReused        Reason = "IDEMPOTENCY_KEY_REUSED" // for another request than the first
	MediaType        Reason = "UNSUPPORTED_MEDIA_TYPE"
	CrossTenant      Reason = "CROSS_TENANT"
	ComputedRelation Reason = "COMPUTED_RELATION"
)

// reasons overrides the JSON-RPC code of a kind.
var reasons = map[Reason]int{
	FileNotFound:     -32000,
	FileExists:       -32001,
	InvalidPath:      -32002,
	NotValid:         -32005,
	MethodNotFound:   -32601,
	InvalidRequest:   -32600,
	ParseFailed:      -32700,
	EtagMismatch:     -32006,
	KeyReused:        -32005,
	CrossTenant:      -32005,
	ComputedRelation: -32005,
}

// RPC returns the JSON-RPC code of err: its reason's where that has one, its kind's otherwise.
func RPC(err error) int {
	e := From(err)
	if code, ok := reasons[e.Reason]; ok {
		return code
	}
	return e.Kind.RPC()
}

// statuses overrides the HTTP status of a kind.
var statuses = map[Reason]int{
	DiskFull: 507, // Insufficient Storage: another server may have room
}

// HTTP returns the status code of err: its reason's where that has one, its kind's otherwise.
func HTTP(err error) int {
	e := From(err)
	if status, ok := statuses[e.Reason]; ok {
		return status
	}
	return e.Kind.HTTP()
}
