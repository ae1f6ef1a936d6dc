package storage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"nexus/authzsvc/authz"
	"nexus/internal/errs"
	"nexus/internal/sqldb"
	"nexus/schema"
	"nexus/storage/internal/sqlstore"
)

// keptMandate is the form in which a mandate stands in an agent's row. A member that this program does not know may bound
// the mandate, so a row that has one is not read: nobody acts by it.
type keptMandate struct {
	Permissions map[string][]string `json:"permissions,omitempty"`
	Roots       []string            `json:"roots,omitzero"`    // type:id; an empty list admits nothing
	Expires     int64               `json:"expires,omitempty"` // microseconds since 1970
}

func keepMandate(m authz.Mandate) (string, error) {
	kept := keptMandate{Permissions: m.Permissions}
	if m.Roots != nil {
		kept.Roots = []string{}
	}
	for _, r := range m.Roots {
		kept.Roots = append(kept.Roots, r.String())
	}
	if !m.Expires.IsZero() {
		kept.Expires = m.Expires.UnixMicro()
	}
	raw, err := json.Marshal(kept)
	if err != nil {
		return "", errs.New(errs.Internal, "a mandate cannot be kept").Because(err)
	}
	return string(raw), nil
}

func readMandate(text string) (m authz.Mandate, err error) {
	if text == "" {
		return m, nil
	}
	var kept keptMandate
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&kept); err != nil {
		return m, errs.New(errs.Internal, "a kept mandate cannot be read").Because(err)
	}
	m.Permissions = kept.Permissions
	if kept.Roots != nil {
		m.Roots = []authz.Ref{}
	}
	for _, text := range kept.Roots {
		typ, id, _ := strings.Cut(text, ":")
		m.Roots = append(m.Roots, authz.Ref{Type: typ, ID: id})
	}
	if kept.Expires != 0 {
		m.Expires = time.UnixMicro(kept.Expires).UTC()
	}
	return m, nil
}

// Agent returns who owns an agent that lives, and the mandate within which it acts for him; errs.NotFound when there is none.
func (c *Credentials) Agent(ctx context.Context, tenant, name string) (owner string, m authz.Mandate, err error) {
	row, err := sqlstore.AgentByID(ctx, c.s.db, tenant, name, c.s.now())
	if errors.Is(err, sqldb.ErrNoRows) || err == nil && row.Ended != 0 {
		return "", m, errs.New(errs.NotFound, "no such agent")
	}
	if err != nil {
		return "", m, err
	}
	m, err = readMandate(row.Mandate)
	return row.Owner, m, err
}

// actorsStand returns nil while every agent that acts in front of who is there and his still.
func (c *Credentials) actorsStand(ctx context.Context, who authz.Principal) error {
	for _, a := range who.Actors {
		if a.Type != "agent" {
			continue
		}
		owner, err := sqlstore.AgentOwner(ctx, c.s.db, schema.TenantOf(a.Ref), schema.NameOf(a.Ref))
		if errors.Is(err, sqldb.ErrNoRows) || err == nil && owner != schema.NameOf(who.Base) {
			return fallen()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
