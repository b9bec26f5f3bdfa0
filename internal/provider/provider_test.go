package provider

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/ragify/ragify/internal/account"
	"github.com/ragify/ragify/internal/fault"
	"github.com/ragify/ragify/internal/plan"
)

// check holds for every message, whatever its bytes: it is refused with a fault for the sender, does nothing, or names its event.
func check(t *testing.T, m message, err error) {
	t.Helper()
	switch {
	case err != nil:
		if k := fault.KindOf(err); k != fault.Invalid && k != fault.Unauthenticated {
			t.Errorf("error %v", err)
		}
	case m.apply == nil:
		if m.outcome != account.Ignored && m.outcome != account.OtherMode {
			t.Errorf("outcome %q of an event that does nothing", m.outcome)
		}
	case !account.Printable(m.event.ID) || m.event.Type == "":
		t.Errorf("an event without identity: %+v", m.event)
	}
}

func FuzzClerk(f *testing.F) {
	f.Add([]byte(`{"type":"user.updated","data":{"id":"user_1","primary_email_address_id":"i","email_addresses":[{"id":"i","email_address":"a@b.c"}],"updated_at":1700000000000}}`))
	f.Add([]byte(`{"type":"user.deleted","data":{"id":"user_1","deleted":true}}`))
	f.Add([]byte(`{"type":7}`))
	verifier, err := standardwebhooks.NewWebhook("whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		now := time.Now()
		signature, err := verifier.Sign("msg_1", now, body)
		if err != nil {
			t.Fatal(err)
		}
		c := clerk{verifier}
		h := http.Header{"Svix-Id": {"msg_1"}, "Svix-Timestamp": {strconv.FormatInt(now.Unix(), 10)}, "Svix-Signature": {signature}}
		m, err := c.parse(h, body)
		check(t, m, err)
		h.Set("Svix-Signature", "v1,"+string(body)) // as hostile as the body
		if _, err := c.parse(h, body); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a forged signature gives %v", err)
		}
	})
}

func FuzzLemonSqueezy(f *testing.F) {
	f.Add([]byte(`{"meta":{"event_name":"subscription_created","custom_data":{"user_id":"usr_1"}},"data":{"type":"subscriptions","id":"1","attributes":{"variant_id":1,"status":"active","ends_at":null,"updated_at":"2026-11-23T10:00:00.000000Z"}}}`))
	f.Add([]byte(`{"meta":{"event_name":"order_created","custom_data":[]}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		l := lemonSqueezy{secret: []byte("0123456789abcdef"), variants: map[int64]plan.Tier{1: plan.Pro}}
		mac := hmac.New(sha256.New, l.secret)
		mac.Write(body)
		m, err := l.parse(http.Header{"X-Signature": {hex.EncodeToString(mac.Sum(nil))}}, body)
		check(t, m, err)
		if _, err := l.parse(http.Header{"X-Signature": {string(body)}}, body); fault.KindOf(err) != fault.Unauthenticated {
			t.Errorf("a forged signature gives %v", err)
		}
	})
}

func FuzzParseVariants(f *testing.F) {
	f.Add("12345=pro, 67890=business")
	f.Add("1=")
	f.Fuzz(func(t *testing.T, text string) {
		variants, err := ParseVariants(text)
		for id, tier := range variants {
			if err != nil || id < 1 || tier == "" {
				t.Errorf("%d gives %q, %v", id, tier, err)
			}
		}
	})
}
