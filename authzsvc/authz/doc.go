// Package authz is the vocabulary of decisions: who asks (Principal), what is required (Need), what was decided
// (Decision), and the proof of it (Grant). It touches no storage, and it decides nothing that it does not record.
//
// # One direction
//
// A request becomes a Principal and an operation. The operation states a Need, which is data: checks to be asked of the
// relations, combined by All and Any. The Gate asks the relations, then the policy, then writes the record, and only then
// hands out what the Need was for: a Grant. Storage takes Grants and nothing else. The address of what may be touched is
// inside the Grant, so there is no way to be granted one file and to touch another.
//
// # Why a Grant is a type
//
// Grant[P, O] names the permission and the object's type. A façade that moves a file asks for an OwnFile and a WriteDir;
// it cannot be called with a ReadFile, because that does not compile. What the compiler cannot see is checked when the
// Grant is used: a zero Grant, one that has outlived its decision, and one with an obligation nobody promised to meet
// are all refused by Use.
//
// # A Grant is right when it is used
//
// A decision is made before the transaction that acts on it. A writing façade therefore calls Decision.Hold under the
// writer's lock: if anything the decision depended on has changed since, nothing is written and the operation is decided
// again.
//
// # To add a permission
//
// Write it in schema/nexus.zed and run go generate: a method on the object returns the Need, an alias names the Grant.
package authz
