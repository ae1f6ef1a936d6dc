// Package house holds the rules of the house as tests: who may import whom and why, how packages and files are named, and
// that grants are not forged. It has no code of its own and is imported by nobody. To add a package, give it a row in
// imports_test.go, with the reason for what it may import; to add a driver, give it a row in drivers_test.go.
package house
