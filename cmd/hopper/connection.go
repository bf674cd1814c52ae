package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"hopper/sinks/rybbit"
)

// connectionFlags are the flags that say which site of which server is meant.
type connectionFlags struct {
	url, site, keyFile string
	secret             rybbit.Key // given by a file of sites
	perMinute          int
	given              bool // perMinute is
	loose              bool // others can read keyFile
}

func (c *connectionFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	cmd.PreRun = func(*cobra.Command, []string) { c.given = f.Changed("max-requests-per-minute") }
	f.StringVar(&c.url, "url", "", "`ADDRESS` of the Rybbit server (env RYBBIT_URL, default https://app.rybbit.io)")
	f.StringVar(&c.site, "site", "", "`SITE`, its number or identifier (env RYBBIT_SITE)")
	f.StringVar(&c.keyFile, "api-key-file", "", "`FILE` that holds the API key (default: env RYBBIT_API_KEY)")
	f.IntVar(&c.perMinute, "max-requests-per-minute", 0, "make no more requests a minute than `N`")
	group(f, serverFlags, "url", "site", "api-key-file", "max-requests-per-minute")
}

// siteGiven returns the site that is meant; empty where none is named.
func (c *connectionFlags) siteGiven() string { return siteOr(c.site) }

// siteOr returns the site of a flag, or of the environment where the flag is not set.
func siteOr(flag string) string { return cmp.Or(flag, os.Getenv("RYBBIT_SITE")) }

// client returns a client, and warns where others could learn the key.
func (c *connectionFlags) client(log *slog.Logger) (*rybbit.Client, error) {
	key, err := c.key()
	if err != nil {
		return nil, err
	}
	if c.given && c.perMinute < 1 {
		return nil, usagef("--max-requests-per-minute must be at least 1")
	}
	client, err := rybbit.NewClient(
		cmp.Or(c.url, os.Getenv("RYBBIT_URL"), "https://app.rybbit.io"), c.siteGiven(), key,
		rybbit.ClientOptions{PerMinute: c.perMinute, Version: version},
	)
	if err != nil {
		return nil, usagef("%w", err)
	}
	if c.loose {
		log.Warn(fmt.Sprintf("--api-key-file: other users of this machine can read %s; chmod 600 %s keeps it yours", c.keyFile, c.keyFile), "event", "key_readable")
	}
	if client.Plain() {
		log.Warn(fmt.Sprintf("the API key goes to %s unencrypted: use https://", client.Server()), "event", "unencrypted")
	}
	return client, nil
}

// checkAddress refuses what can be no server's address, where none is asked.
func checkAddress(address string) error {
	client, err := rybbit.NewClient(address, "1", "unused", rybbit.ClientOptions{})
	if err != nil {
		return usagef("%w", err)
	}
	client.Close()
	return nil
}

func (c *connectionFlags) key() (rybbit.Key, error) {
	if c.secret != "" {
		return c.secret, nil
	}
	if c.keyFile == "" {
		return rybbit.Key(os.Getenv("RYBBIT_API_KEY")), nil
	}
	key, loose, err := rybbit.ReadKey(c.keyFile)
	if err != nil {
		return "", usagef("--api-key-file: %w", err)
	}
	c.loose = loose
	return key, nil
}
