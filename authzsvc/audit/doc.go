// Package audit keeps the decision record: every decision before its effect, and afterwards what became of it. It never keeps
// contents or secrets, never lets a decision pass that it could not write, and never repairs history: what is damaged stays as
// evidence, and what had to be cut is noted. To record a new fact about the record itself, add a NoteKind; to record more about
// a decision, add a field to authz.Decided and its line to encode.go (a fuzz test compares the two).
//
// # On disk
//
//	000001.seg.zst  a closed segment, compressed
//	000002.seg      the open one
//	head            the newest signed checkpoint, replaced with each
//	key             signing key and its verifier, mode 0600 (Options.KeyFile puts it elsewhere)
//	audit.pub       verifier keys of this record, one a line, oldest first
//	reserve         room kept for the day the disk is full
//	restored        says of what this is a copy, until the next Open has noted it
//	lock            held by the one process that writes
//
// A segment is text. Each line is one entry: its length as eight hex digits, a space, the entry as JSON, a space, the chain hash
// as 64 hex digits, a line feed. The chain hash of an entry is SHA-256 over the 32 bytes of the hash in front of it and the JSON.
// The first entry of a segment is a note that names the hash it goes on from; a segment that was closed in order ends in a checkpoint.
//
// # What is promised
//
// When Decide returns nil the line was handed to the kernel in one write(2): it survives the death of the process. With
// Decided.Durable it is also on disk; otherwise that follows within Options.SyncEvery, which is all that a power cut can take.
// When the line cannot be written, or its fsync fails, Decide returns Unavailable with reason NOT_RECORDED and there must be no
// access. A failed fsync is never tried again: the next entry goes to a new segment that begins with a note about the doubt.
// The log goes on by itself when the disk accepts again, and notes how many entries were refused meanwhile.
//
// Equal prompt decisions within Options.CoalesceFor are counted into the first, which was written before any of them passed. A
// crash may lose the count, never the first.
//
// # What Verify can and cannot find
//
// Given verifier keys that were kept elsewhere (VerifyOptions.Keys), nobody without the signing key can change, remove, add or
// reorder an entry in front of the newest checkpoint unnoticed, nor cut the record before it. Entries behind the newest
// checkpoint (at most Options.CheckpointEvery of traffic) are chained but not yet signed.
//
// What cannot be seen from inside: who can write to the directory may put record and head together back to an older, genuine
// state; or write a new history, signed with the key if it can be read there, else with a key of his own beside a new audit.pub. So keep
// the key (Options.KeyFile) and a copy of audit.pub elsewhere, and send each checkpoint off the machine (Options.Published) to
// give it to Verify later (VerifyOptions.Witness).
package audit
