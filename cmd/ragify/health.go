package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// healthTimeout is how long a health check waits for its answer.
const healthTimeout = 5 * time.Second

func (a *app) healthCommand() *cobra.Command {
	var work bool
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Tell whether the service on this machine is ready",
		Long: `Ask the service that runs on this machine, at the port of LISTEN_ADDR, whether it is ready; with --work
the workers of "ragify work", at ADMIN_ADDR. The exit status is 0 when it is, 1 when it is not, and then
the parts that do not work are named. Made for health checks of containers.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(a.env)
			if err != nil {
				return err
			}
			address := c.ListenAddr
			if work {
				address = c.AdminAddr
			}
			url, err := localURL(address)
			if err != nil {
				return err
			}
			return checkReady(cmd.Context(), url)
		},
	}
	cmd.Flags().BoolVar(&work, "work", false, "ask workers without an API, at ADMIN_ADDR")
	return cmd
}

func checkReady(ctx context.Context, base string) error {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		return nil
	}
	var answer struct {
		Detail struct {
			Message string
			Parts   []string
		}
	}
	err = json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&answer)
	switch d := answer.Detail; {
	case err != nil || d.Message == "":
		return fmt.Errorf("not ready: %s", res.Status)
	case len(d.Parts) == 0:
		return fmt.Errorf("not ready: %s", d.Message)
	default:
		return fmt.Errorf("not ready: %s (%s)", d.Message, strings.Join(d.Parts, ", "))
	}
}

// localURL is how a process on this machine reaches a listener's address.
func localURL(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
