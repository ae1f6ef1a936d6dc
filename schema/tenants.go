package schema

import (
	"slices"
	"strconv"
	"strings"

	"nexus/authzsvc/authz"
)

// Tenants define types of their own beside the product's. In the engine their names stand behind the tenant's number, as
// t0001/doc, so that no two tenants' types are one and none is the product's; everywhere else they are shown without it.

// digits is how many digits a tenant's number has at least in a name.
const digits = 4

// Prefix returns what stands before the slash in the engine's names of a tenant's types.
func Prefix(number int64) string {
	n := strconv.FormatInt(number, 32)
	return "t" + strings.Repeat("0", max(0, digits-len(n))) + n
}

// OwnType returns the engine's name of a type that the tenant of that number defined.
func OwnType(number int64, name string) string { return Prefix(number) + "/" + name }

// IsOwn reports whether a definition, by its name in the engine, is a tenant's and not the product's.
func IsOwn(definition string) bool { return strings.Contains(definition, "/") }

// TypeName returns the name by which people know a definition of the engine's.
func TypeName(definition string) string { return definition[strings.IndexByte(definition, '/')+1:] }

// taken are names that mean something to people here, or will, though the product defines no type of that name.
var taken = []string{
	"archives", "audit", "caveat", "credential", "device", "everybody", "external", "memory", "mount", "namespace", "nexus",
	"passphrase", "playbook", "policy", "record", "role", "sandbox", "schema", "secret", "session", "shared", "skill",
	"snapshot", "system", "trajectory", "vault", "version", "workspace",
}

// Reserved reports whether no tenant may give a type that name.
func Reserved(name string) bool {
	return slices.Contains(taken, name) || slices.Contains(Definitions(), name)
}

// Admitted are the product's subjects that relations of tenants' types may name.
var Admitted = []string{"user", "agent", "group#member"}

// sharing are the permissions, or in their place relations, that let their holder write relationships of an object of a
// tenant's type: the first that the type has.
var sharing = []string{"share", "manage", "owner"}

// Kind is a type that a tenant defined, by what can be said of it.
type Kind struct {
	Type        string   // in the engine
	Relations   []string // stored
	Permissions []string // computed
}

// Sharing returns the permission that lets its holder write relationships of an object, "" where only administrators may.
func (k Kind) Sharing() string {
	for _, name := range sharing {
		if slices.Contains(k.Permissions, name) || slices.Contains(k.Relations, name) {
			return name
		}
	}
	return ""
}

// Caveat returns the engine's name of a caveat of the tenant that defined the type.
func (k Kind) Caveat(name string) string {
	return k.Type[:strings.IndexByte(k.Type, '/')+1] + name
}

// Has reports whether name can be asked on an object of the type.
func (k Kind) Has(name string) bool {
	return slices.Contains(k.Permissions, name) || slices.Contains(k.Relations, name)
}

// Item is an object of a type that its tenant defined. The zero Item names nothing, and no relations hold on it.
type Item struct{ id, name, definition, sharing string }

// ItemOf returns the object that people call name, of a kind that its tenant defined. The tenant is quoted.
func ItemOf(tenant string, k Kind, name string) (Item, error) {
	id, err := within(tenant, name)
	if err != nil {
		return Item{}, err
	}
	return Item{id, name, k.Type, k.Sharing()}, nil
}

// Named returns the object with the name people gave it.
func (i Item) Named() authz.Named {
	return authz.Named{Ref: authz.Ref{Type: i.definition, ID: i.id}, Name: TypeName(i.definition) + " " + i.name}
}

// HasSharing reports whether its type lets anybody but administrators write its relationships.
func (i Item) HasSharing() bool { return i.sharing != "" }

type itemShare struct{}

func (itemShare) Of(i Item) string { return i.sharing }

// ShareItem proves the permission by which its type lets people write an Item's relationships.
type ShareItem = authz.Grant[itemShare, Item]

// Share is the need for that permission. It must not be asked where HasSharing is false.
func (i Item) Share() authz.Need[ShareItem] { return authz.On[itemShare](i) }
