package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/postgres"
)

// keyView is an API key as the API shows it.
type keyView struct {
	ID         uuid.UUID  `json:"id"`
	Name       string     `json:"name"`
	KeyPrefix  string     `json:"key_prefix"`
	IsActive   bool       `json:"is_active"`
	CreatedAt  time.Time  `json:"created_at"`
	LastUsedAt *time.Time `json:"last_used_at"`
	RawKey     string     `json:"raw_key,omitempty"` // only right after its creation
}

func viewKey(k account.Key) keyView {
	return keyView{ID: k.ID, Name: k.Name, KeyPrefix: k.Prefix, IsActive: k.Active, CreatedAt: k.CreatedAt, LastUsedAt: k.LastUsedAt}
}

// maxKeyName is the length of a key's name, in characters: the API's rule.
const maxKeyName = 100

func keyName(raw string) (string, error) {
	name := strings.TrimSpace(raw)
	if n := utf8.RuneCountInString(name); n < 1 || n > maxKeyName || !utf8.ValidString(name) {
		return "", usagef("a key's name has 1 to %d characters", maxKeyName)
	}
	return name, nil
}

func (a *app) keyCommand() *cobra.Command {
	return group("key", "Make, list and revoke API keys",
		`Make, list and revoke API keys of an account, under the rules of its plan. The key itself is shown
once, when it is made; only a hash of it is stored.`,
		a.keyCreateCommand(), a.keyListCommand(), a.keyRevokeCommand())
}

func (a *app) keyCreateCommand() *cobra.Command {
	var who accountFlags
	var name string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "create (--email EMAIL | --id ID) --name NAME [--json]",
		Short:   "Make an API key",
		Example: `  ragify key create --email ada@example.com --name pipeline`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			name, err := keyName(name)
			if err != nil {
				return err
			}
			var view keyView
			err = a.withStore(cmd.Context(), func(c config, s *postgres.Store) error {
				acct, err := who.find(cmd.Context(), s)
				if err != nil {
					return err
				}
				if !c.plans[acct.Tier].APIAccess() {
					return fmt.Errorf("the account is on the %s plan, which has no API access: see ragify user set-tier", acct.Tier)
				}
				secret := account.NewSecret()
				k, err := s.CreateKey(cmd.Context(), acct.ID, name, secret, c.plans[acct.Tier].MaxAPIKeys)
				view = viewKey(k)
				view.RawKey = secret.Reveal()
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.stdout, view)
			}
			fmt.Fprintf(a.stdout, "API key %s\nKeep the key: it cannot be shown again. Its id, to revoke it, is %s.\n", view.RawKey, view.ID)
			return nil
		},
	}
	who.register(cmd)
	cmd.Flags().StringVar(&name, "name", "", "what the key is for, 1 to 100 characters")
	jsonFlag(cmd, &asJSON)
	mustSucceed(cmd.MarkFlagRequired("name"))
	return cmd
}

func (a *app) keyListCommand() *cobra.Command {
	var who accountFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list (--email EMAIL | --id ID) [--json]",
		Short:   "List an account's API keys, newest first, revoked ones included",
		Example: `  ragify key list --email ada@example.com`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var keys []account.Key
			err := a.withStore(cmd.Context(), func(_ config, s *postgres.Store) error {
				acct, err := who.find(cmd.Context(), s)
				if err != nil {
					return err
				}
				keys, err = s.Keys(cmd.Context(), acct.ID)
				return err
			})
			if err != nil {
				return err
			}
			views, rows := make([]keyView, len(keys)), make([][]string, len(keys))
			for i, k := range keys {
				views[i] = viewKey(k)
				state, used := "active", "never"
				if !k.Active {
					state = "revoked"
				}
				if k.LastUsedAt != nil {
					used = k.LastUsedAt.Format(time.DateTime)
				}
				rows[i] = []string{k.ID.String(), k.Prefix + "…", k.Name, state, k.CreatedAt.Format(time.DateTime), used}
			}
			if asJSON {
				return writeJSON(a.stdout, views)
			}
			return writeTable(a.stdout, []string{"ID", "KEY", "NAME", "STATE", "CREATED", "LAST USED"}, rows)
		},
	}
	who.register(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) keyRevokeCommand() *cobra.Command {
	var who accountFlags
	cmd := &cobra.Command{
		Use:     "revoke (--email EMAIL | --id ID) KEY_ID",
		Short:   "Make an API key useless, at once and everywhere",
		Example: `  ragify key revoke --email ada@example.com 6f1c2a52-5a0e-4f0c-9d2b-0c3a1e6b7d11`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(args[0])
			if err != nil {
				return usagef("%q is not a key's id: see ragify key list", args[0])
			}
			err = a.withStore(cmd.Context(), func(_ config, s *postgres.Store) error {
				acct, err := who.find(cmd.Context(), s)
				if err != nil {
					return err
				}
				return s.RevokeKey(cmd.Context(), acct.ID, id)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "Key %s is revoked.\n", id)
			return nil
		},
	}
	who.register(cmd)
	return cmd
}
