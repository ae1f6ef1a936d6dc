package authz

// Obligation is something a policy attaches to an allow. The set is closed: each is met by the façade method it names, and
// Use refuses a Grant whose obligation the caller did not promise to meet.
type Obligation string

// MaskValues asks that a file of names and values leaves with its values masked. Met by storage.Files.ReadMasked.
const MaskValues Obligation = "mask_values"

// Obligations returns the closed set.
func Obligations() []Obligation { return []Obligation{MaskValues} }
