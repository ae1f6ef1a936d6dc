package grantcheck

import (
	"go/types"
	"strings"
)

// isVocabulary reports whether path is that of package authz, in whatever module.
func isVocabulary(path string) bool {
	return path == vocabulary || strings.HasSuffix(path, "/"+vocabulary)
}

// isProof reports whether t is authz.Grant or authz.Scope, under whatever alias.
func isProof(t types.Type) bool { return isGrant(t) || isScope(t) }

func isGrant(t types.Type) bool { return is(t, "Grant") }

func isScope(t types.Type) bool { return is(t, "Scope") }

func is(t types.Type, name string) bool {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || !isVocabulary(named.Obj().Pkg().Path()) {
		return false
	}
	return named.Obj().Name() == name
}

// carries reports whether a zero value of t holds a zero proof.
func carries(t types.Type) bool {
	if t == nil {
		return false
	}
	if isProof(t) {
		return true
	}
	switch u := t.Underlying().(type) {
	case *types.Array:
		return carries(u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if carries(f.Type()) {
				return true
			}
		}
	}
	return false
}

// holds reports whether a value of t can lead to what wanted describes.
func holds(t types.Type, wanted func(types.Type) bool) bool {
	return reaches(t, wanted, map[types.Type]bool{})
}

func reaches(t types.Type, wanted func(types.Type) bool, seen map[types.Type]bool) bool {
	if t == nil || seen[t] {
		return false
	}
	seen[t] = true
	if wanted(t) {
		return true
	}
	switch u := t.Underlying().(type) {
	case *types.Array:
		return reaches(u.Elem(), wanted, seen)
	case *types.Slice:
		return reaches(u.Elem(), wanted, seen)
	case *types.Pointer:
		return reaches(u.Elem(), wanted, seen)
	case *types.Chan:
		return reaches(u.Elem(), wanted, seen)
	case *types.Map:
		return reaches(u.Key(), wanted, seen) || reaches(u.Elem(), wanted, seen)
	case *types.Struct:
		for f := range u.Fields() {
			if reaches(f.Type(), wanted, seen) {
				return true
			}
		}
	}
	return false
}
