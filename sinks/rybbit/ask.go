package rybbit

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
)

// Patiently makes a request that changes nothing until it is answered, or until
// the patience of opt is at its end, which is an [AwayError].
func (c *Client) Patiently(ctx context.Context, opt Options, request func(context.Context) error) error {
	return opt.Patiently(ctx, c.working.Load, request)
}

// Patiently is [Client.Patiently] for requests of others; working reports whether
// the server has accepted the key.
func (o Options) Patiently(ctx context.Context, working func() bool, request func(context.Context) error) error {
	retry := o.filled().patience(working)
	for {
		err := request(ctx)
		if err == nil {
			return nil
		}
		if err := retry.wait(ctx, err); err != nil {
			return err
		}
	}
}

// Get asks for what is at a path below /api, such as the site's statistics, and
// decodes the answer. Messages name the call in the words of call.
func (c *Client) Get(ctx context.Context, call string, path []string, query url.Values, answer any) error {
	u := c.base.JoinPath(append([]string{"api"}, path...)...)
	u.RawQuery = query.Encode()
	return c.request(ctx, call, http.MethodGet, u.String(), nil, answer)
}

// Post sends a question as JSON to a path below /api and decodes the answer.
func (c *Client) Post(ctx context.Context, call string, path []string, question, answer any) error {
	content, err := json.Marshal(question)
	if err != nil {
		return err
	}
	return c.request(ctx, call, http.MethodPost, c.base.JoinPath(append([]string{"api"}, path...)...).String(), newBody(content), answer)
}
