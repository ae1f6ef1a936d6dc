package authz

// Ref names an object or a subject in the engine's terms: a definition and an id within it.
type Ref struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// String returns type:id, as relationships are written.
func (r Ref) String() string { return r.Type + ":" + r.ID }

// IsZero reports whether r names nothing.
func (r Ref) IsZero() bool { return r == Ref{} }

// Check is one question to the relations, as data: does the principal have Permission on Type:ID?
type Check struct {
	Type       string `json:"type"`
	ID         string `json:"id"`
	Permission string `json:"permission"`
}

// Object returns what the question is about.
func (c Check) Object() Ref { return Ref{c.Type, c.ID} }

// Answer is a Check with what the relations answered.
type Answer struct {
	Check
	Allowed    bool `json:"allowed"`
	Cached     bool `json:"cached,omitempty"`
	Incomplete bool `json:"incomplete,omitempty"`
}
