package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
)

// userView is an account as the command line shows it.
type userView struct {
	ID     account.ID `json:"id"`
	Email  string     `json:"email"`
	Tier   plan.Tier  `json:"tier"`
	APIKey string     `json:"api_key,omitempty"` // only right after its creation
}

func viewUser(a account.Account) userView { return userView{ID: a.ID, Email: a.Email, Tier: a.Tier} }

func (a *app) userCommand() *cobra.Command {
	return group("user", "Make and change accounts",
		`Make and change accounts. Beside a running "ragify serve" these commands use its database: the
embedded one of the same DATA_DIR, or the one that DATABASE_URL names.`,
		a.userCreateCommand(), a.userSetTierCommand(), a.userDeleteCommand(), a.userListCommand())
}

func (a *app) userCreateCommand() *cobra.Command {
	var email, tier, key string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "create --email EMAIL [--tier TIER] [--key NAME] [--json]",
		Short: "Make an account, and its first API key",
		Example: `  ragify user create --email ada@example.com --tier pro --key laptop
  ragify user create --email ada@example.com --tier pro --key laptop --json | jq -r .api_key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := parseTier(tier)
			if err != nil {
				return err
			}
			name, err := keyName(key)
			if err != nil && cmd.Flags().Changed("key") {
				return err
			}
			var view userView
			err = a.withStore(cmd.Context(), func(c config, s *postgres.Store) error {
				acct, err := s.CreateAccount(cmd.Context(), email, t)
				if err != nil {
					return err
				}
				view = viewUser(acct)
				if name == "" {
					return nil
				}
				// The account's first key breaks no limit, but on some plans it is made ahead of its use.
				if !c.plans[t].APIAccess() {
					fmt.Fprintf(a.stderr, "ragify: the %s plan has no API access: until \"ragify user set-tier\" changes the plan, the key answers 403\n", t)
				}
				secret := account.NewSecret()
				_, err = s.CreateKey(cmd.Context(), acct.ID, name, secret, nil)
				view.APIKey = secret.Reveal()
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.stdout, view)
			}
			fmt.Fprintf(a.stdout, "Account %s (%s, %s plan)\n", view.ID, view.Email, view.Tier)
			if view.APIKey != "" {
				fmt.Fprintf(a.stdout, "API key %s\nKeep the key: it cannot be shown again.\n", view.APIKey)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&email, "email", "", "the account's email address")
	cmd.Flags().StringVar(&tier, "tier", string(plan.Free), "plan: "+tierNames())
	cmd.Flags().StringVar(&key, "key", "", "also make an API key with this name")
	jsonFlag(cmd, &asJSON)
	mustSucceed(cmd.MarkFlagRequired("email"))
	return cmd
}

func (a *app) userSetTierCommand() *cobra.Command {
	var who accountFlags
	var tier string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "set-tier (--email EMAIL | --id ID) --tier TIER [--json]",
		Short:   "Move an account to another plan, from its next request on",
		Example: `  ragify user set-tier --email ada@example.com --tier business`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := parseTier(tier)
			if err != nil {
				return err
			}
			var view userView
			err = a.withStore(cmd.Context(), func(_ config, s *postgres.Store) error {
				acct, err := who.find(cmd.Context(), s)
				if err != nil {
					return err
				}
				if err := s.SetTier(cmd.Context(), acct.ID, t); err != nil {
					return err
				}
				acct, err = s.Account(cmd.Context(), acct.ID) // a subscription may give more
				view = viewUser(acct)
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return writeJSON(a.stdout, view)
			}
			fmt.Fprintf(a.stdout, "Account %s (%s) is on the %s plan now.\n", view.ID, view.Email, view.Tier)
			return nil
		},
	}
	who.register(cmd)
	cmd.Flags().StringVar(&tier, "tier", "", "plan: "+tierNames())
	jsonFlag(cmd, &asJSON)
	mustSucceed(cmd.MarkFlagRequired("tier"))
	return cmd
}

func (a *app) userDeleteCommand() *cobra.Command {
	var who accountFlags
	var yes bool
	cmd := &cobra.Command{
		Use:   "delete (--email EMAIL | --id ID) [--yes]",
		Short: "Delete an account with its keys, jobs and files, for good",
		Long: `Delete an account. Its keys and sessions are refused from the next request on. Its jobs, files and use of
pages are removed by the workers soon after: by the next one that starts, when none is running. A subscription
at Lemon Squeezy goes on until it is cancelled there, and a user at Clerk until he is deleted there.`,
		Example: `  ragify user delete --email ada@example.com --yes`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var acct account.Account
			err := a.withStore(cmd.Context(), func(_ config, s *postgres.Store) (err error) {
				if acct, err = who.find(cmd.Context(), s); err != nil {
					return err
				}
				if !yes {
					if err := a.confirm(fmt.Sprintf("Delete account %s (%s) and everything that belongs to it? Type yes: ", acct.ID, acct.Email)); err != nil {
						return err
					}
				}
				return s.DeleteAccount(cmd.Context(), acct.ID)
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "Account %s is deleted; workers remove its jobs and files.\n", acct.ID)
			return nil
		},
	}
	who.register(cmd)
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

// confirm asks on the terminal; any answer but yes is an error.
func (a *app) confirm(question string) error {
	fmt.Fprint(a.stderr, question)
	answer, err := bufio.NewReader(io.LimitReader(a.stdin, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(answer) != "yes" {
		return usagef("not confirmed: answer yes, or give --yes")
	}
	return nil
}

func (a *app) userListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [--json]",
		Short: "List all accounts, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var accounts []account.Account
			err := a.withStore(cmd.Context(), func(_ config, s *postgres.Store) (err error) {
				accounts, err = s.Accounts(cmd.Context())
				return err
			})
			if err != nil {
				return err
			}
			views := make([]userView, len(accounts))
			for i, acct := range accounts {
				views[i] = viewUser(acct)
			}
			if asJSON {
				return writeJSON(a.stdout, views)
			}
			rows := make([][]string, len(views))
			for i, v := range views {
				rows[i] = []string{string(v.ID), v.Email, string(v.Tier), accounts[i].CreatedAt.Format("2006-01-02")}
			}
			return writeTable(a.stdout, []string{"ID", "EMAIL", "PLAN", "CREATED"}, rows)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// accountFlags name the account that a command is about.
type accountFlags struct{ email, id string }

func (f *accountFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.email, "email", "", "the account's email address")
	cmd.Flags().StringVar(&f.id, "id", "", "or the account's id, usr_…")
	cmd.MarkFlagsOneRequired("email", "id")
	cmd.MarkFlagsMutuallyExclusive("email", "id")
}

func (f *accountFlags) find(ctx context.Context, s *postgres.Store) (account.Account, error) {
	if f.id != "" {
		return s.Account(ctx, account.ID(f.id))
	}
	return s.AccountByEmail(ctx, f.email)
}

func parseTier(s string) (plan.Tier, error) {
	for _, t := range plan.Tiers() {
		if string(t) == s {
			return t, nil
		}
	}
	return "", usagef("there is no plan %q: choose %s", s, tierNames())
}

func tierNames() string {
	names := make([]string, 0, len(plan.Tiers()))
	for _, t := range plan.Tiers() {
		names = append(names, string(t))
	}
	return strings.Join(names, ", ")
}

func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print JSON, for scripts")
}

// mustSucceed is for errors that only a misspelt flag in this package can cause.
func mustSucceed(err error) {
	if err != nil {
		panic(err)
	}
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func writeTable(w io.Writer, head []string, rows [][]string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		if _, err := fmt.Fprintln(tw, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return tw.Flush()
}
