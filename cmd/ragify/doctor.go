package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// doctorTimeout bounds each examination: whatever takes longer does not work.
const doctorTimeout = 30 * time.Second

// state is how bad a finding is.
type state string

const (
	stateOK      state = "ok"
	stateWarning state = "warning" // it works, but not as well as it might, or not for long
	stateProblem state = "problem" // the service does not work, or not all of it
)

// finding is one thing that the doctor looked at.
type finding struct {
	Check   string `json:"check"` // what was looked at: postgres, bucket, …
	State   state  `json:"state"`
	Message string `json:"message"`          // what is the case
	Advice  string `json:"advice,omitempty"` // what to do about it, "" when all is well
}

// doctor collects findings while it goes from one thing to the next.
type doctor struct {
	app      *app
	config   config
	check    string        // what it looks at now
	tell     func(finding) // called with each finding as it comes
	findings []finding
}

func (d *doctor) note(s state, advice, format string, args ...any) {
	f := finding{d.check, s, oneLine(fmt.Sprintf(format, args...)), advice}
	d.findings = append(d.findings, f)
	d.tell(f)
}

func (d *doctor) ok(format string, args ...any) { d.note(stateOK, "", format, args...) }

func (d *doctor) warn(advice, format string, args ...any) {
	d.note(stateWarning, advice, format, args...)
}

func (d *doctor) problem(advice, format string, args ...any) {
	d.note(stateProblem, advice, format, args...)
}

// oneLine keeps what other programs and servers say from breaking a line or commanding a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.Join(strings.Fields(text), " "))
}

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check everything that the service needs, and say what to do",
		Long: `Check the configuration, this machine, Postgres, the queue, its workers and the clean-up, the file storage,
Clerk, Lemon Squeezy, clocks, the engine and OCR, one after the other, with the environment that the service
has, and say what to do about what is not right. It may run beside the service at any time. It writes nothing
but a probe file, which it deletes, and what a first start makes under DATA_DIR; the schema it leaves as it
is. No secret is shown.

The exit status is 0 when nothing but warnings was found, and 1 when there is a problem.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &doctor{app: a, tell: a.teller()}
			if asJSON {
				d.tell = func(finding) {}
			}
			d.examine(cmd.Context())
			problems := 0
			for _, f := range d.findings {
				if f.State == stateProblem {
					problems++
				}
			}
			if asJSON {
				encoder := json.NewEncoder(a.stdout)
				encoder.SetIndent("", "  ")
				if err := encoder.Encode(d.findings); err != nil {
					return err
				}
			}
			if problems > 0 {
				return exitCode(exitFailure)
			}
			return cmd.Context().Err()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print an array of {check, state, message, advice}")
	return cmd
}

// teller prints findings for a person: in colour on a terminal, plainly elsewhere.
func (a *app) teller() func(finding) {
	codes := map[state]string{stateOK: "32", stateWarning: "33", stateProblem: "31;1"}
	styled := isTerminal(a.stdout) && a.env["NO_COLOR"] == ""
	return func(f finding) {
		word := fmt.Sprintf("%-8s", f.State)
		if styled {
			word = "\x1b[" + codes[f.State] + "m" + word + "\x1b[0m"
		}
		fmt.Fprintf(a.stdout, "%s %-14s %s\n", word, f.Check, f.Message)
		if f.Advice != "" {
			fmt.Fprintf(a.stdout, "%-23s → %s\n", "", f.Advice)
		}
	}
}

// examine looks at one thing after the other. What depends on something that does not work is left out.
func (d *doctor) examine(ctx context.Context) {
	d.check = "configuration"
	c, err := loadConfig(d.app.env)
	if err == nil {
		err = c.prepareDataDir()
	}
	if err != nil {
		d.problem("Correct this variable; \"ragify serve --help\" lists them all.", "%s", sentence(err))
		return
	}
	d.config = c
	d.ok("every variable can be read, DATA_DIR is %s", c.DataDir)
	for _, step := range []struct {
		check string
		look  func(context.Context)
	}{
		{"public URL", d.lookAtPublicURL},
		{"machine", d.lookAtMachine},
		{"signing key", d.lookAtSigningKey},
		{"postgres", d.lookAtPostgres},
		{"bucket", d.lookAtBucket},
		{"clerk", d.lookAtClerk},
		{"providers", d.lookAtProviders},
		{"engine", d.lookAtEngine},
		{"ocr", d.lookAtOCR},
	} {
		d.check = step.check
		ctx, cancel := context.WithTimeout(ctx, doctorTimeout)
		step.look(ctx)
		cancel()
	}
}
