// Package explain turns the engine's trace of a check and its expansion of a permission into answers for people: why a
// subject holds a permission, why not, and what would change that. It asks nothing of the engine, decides nothing and opens
// no database: what it says follows from what it is given, and names nothing that the asker may not see. To explain more of
// a schema, extend Schema; to render an Explanation for another surface, write a function beside Text.
package explain
