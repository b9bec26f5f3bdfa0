package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/plan"
	"github.com/ragify/ragify/internal/postgres"
)

// subscriptionView is a subscription as the command line shows it.
type subscriptionView struct {
	ID        string                     `json:"id"`
	Account   account.ID                 `json:"account"`    // "" for none
	Owner     string                     `json:"claimed_by"` // what the checkout named, "" for nothing
	Variant   int64                      `json:"variant"`
	Tier      plan.Tier                  `json:"tier"` // "" when the variant is unknown
	Status    account.SubscriptionStatus `json:"status"`
	EndsAt    *time.Time                 `json:"ends_at"`
	UpdatedAt time.Time                  `json:"updated_at"`
}

func (a *app) subscriptionCommand() *cobra.Command {
	return group("subscription", "See the subscriptions at Lemon Squeezy, and whose they are",
		`See the subscriptions that Lemon Squeezy has told of, and give one to an account where the checkout named none.`,
		a.subscriptionListCommand(), a.subscriptionAssignCommand())
}

func (a *app) subscriptionListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [--json]",
		Short: "List all subscriptions, the newest change first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var known []account.Owned
			err := a.withStore(cmd.Context(), func(_ config, s *postgres.Store) (err error) {
				known, err = s.Subscriptions(cmd.Context())
				return err
			})
			if err != nil {
				return err
			}
			views, rows := make([]subscriptionView, len(known)), make([][]string, len(known))
			for i, o := range known {
				views[i] = subscriptionView{o.ID, o.Account, o.Owner, o.Variant, o.Tier, o.Status, o.EndsAt, o.UpdatedAt}
				rows[i] = []string{o.ID, string(o.Account), strconv.FormatInt(o.Variant, 10), string(o.Tier), string(o.Status), o.UpdatedAt.Format(time.DateTime)}
			}
			if asJSON {
				return writeJSON(a.stdout, views)
			}
			return writeTable(a.stdout, []string{"ID", "ACCOUNT", "VARIANT", "PLAN", "STATUS", "CHANGED"}, rows)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) subscriptionAssignCommand() *cobra.Command {
	var who accountFlags
	cmd := &cobra.Command{
		Use:     "assign (--email EMAIL | --id ID) SUBSCRIPTION",
		Short:   "Give a subscription to an account, for good",
		Example: `  ragify subscription assign --email ada@example.com 1234567`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var acct account.Account
			err := a.withStore(cmd.Context(), func(_ config, s *postgres.Store) (err error) {
				if acct, err = who.find(cmd.Context(), s); err != nil {
					return err
				}
				if err := s.AssignSubscription(cmd.Context(), args[0], acct.ID); err != nil {
					return err
				}
				acct, err = s.Account(cmd.Context(), acct.ID)
				return err
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "Subscription %s belongs to account %s (%s), which is on the %s plan now.\n", args[0], acct.ID, acct.Email, acct.Tier)
			return nil
		},
	}
	who.register(cmd)
	return cmd
}
