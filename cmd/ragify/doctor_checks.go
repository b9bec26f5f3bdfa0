package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/ragify/ragify/internal/auth"
	"github.com/ragify/ragify/internal/blob"
	"github.com/ragify/ragify/internal/engine"
	"github.com/ragify/ragify/internal/ocr"
	"github.com/ragify/ragify/internal/option"
	"github.com/ragify/ragify/internal/postgres"
	"github.com/ragify/ragify/internal/queue"
)

const (
	// clockTolerance is how far clocks may be apart: tokens, links and webhooks are off by as much. S3 and
	// webhook receivers refuse a quarter of an hour and five minutes.
	clockTolerance = 5 * time.Second
	// nodeConnections is what one serve with workers opens to Postgres at most: its pool of 20, one connection that
	// listens for jobs and one for River, one that holds the node's lock, and two spare for a migration.
	nodeConnections = 25
	// oldestPostgres is the version that the SQL needs.
	oldestPostgres = 130000
	// childMemory is what a conversion of an ordinary document takes at its peak, in bytes (measured: 297 to 472 MB).
	childMemory = 512 << 20
	// minFree is how much room DATA_DIR needs at least, in bytes: an upload of the default limit, and its results.
	minFree = 4 << 30
	// minFiles is how many files and connections the process must be able to hold open.
	minFiles = 4096
	// stale is how long a job may wait before something is likely to be wrong.
	stale = 15 * time.Minute
	// electionTime is how long there may be workers, but none that they have elected: they try every 5 to 6 seconds.
	electionTime = 7 * time.Second
)

func (d *doctor) lookAtPublicURL(context.Context) {
	u, err := url.Parse(d.config.PublicURL)
	switch {
	case err != nil || d.config.PublicURL == "":
		d.warn("Set PUBLIC_URL to the address that clients use.", "PUBLIC_URL is not set: download links lead to this machine only")
	case u.Scheme == "http" && u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1":
		d.warn("Put TLS in front of the service, and https:// into PUBLIC_URL.", "download links are sent in the clear: %s", d.config.PublicURL)
	default:
		d.ok("download links begin with %s", d.config.PublicURL)
	}
}

func (d *doctor) lookAtMachine(context.Context) {
	m := thisMachine(d.config.DataDir)
	const mega = 1 << 20
	switch need := int64(max(1, d.config.Workers)) * childMemory; {
	case m.memory == 0:
	case m.memory < need:
		d.warn("Lower WORKERS, or give the machine more memory.", "%d MB of memory for %d conversions at once, which may take %d MB", m.memory/mega, d.config.Workers, need/mega)
	default:
		d.ok("%d MB of memory for %d conversions at once", m.memory/mega, d.config.Workers)
	}
	if m.disk > 0 && m.disk < minFree {
		d.warn("Make room, or move DATA_DIR to a larger disk.", "only %d MB are free in %s", m.disk/mega, d.config.DataDir)
	}
	if m.files > 0 && m.files < minFiles {
		d.warn("Raise it: LimitNOFILE=65536 under systemd, ulimits in a compose file.", "the process may open only %d files and connections", m.files)
	}
}

func (d *doctor) lookAtSigningKey(context.Context) {
	keys, err := d.config.signingKeys()
	if err != nil {
		d.problem("Set URL_SIGNING_KEY to the output of: openssl rand -hex 32", "%s", sentence(err))
		return
	}
	var prints []string
	for _, key := range keys {
		sum := sha256.Sum256(append([]byte("ragify doctor fingerprint "), key...))
		prints = append(prints, hex.EncodeToString(sum[:4]))
	}
	if len(d.config.URLSigningKeys) == 0 && d.config.DatabaseURL != "" {
		d.warn("Set URL_SIGNING_KEY, the same on every node; with one node only, all is well.",
			"fingerprint %s, of a file under DATA_DIR, which other nodes do not have", prints[0])
		return
	}
	d.ok("fingerprint %s: the same on every node", strings.Join(prints, ", then "))
}

func (d *doctor) lookAtPostgres(ctx context.Context) {
	db, err := openDatabase(ctx, d.config, beside, true, quietLogger(), nil)
	if err != nil {
		d.problem("Check DATABASE_URL, that Postgres runs, and that this machine may reach it.", "%s", sentence(err))
		return
	}
	defer func() {
		if err := db.close(); err != nil {
			d.warn("", "closing the connection: %s", sentence(err))
		}
	}()
	server, err := postgres.Examine(ctx, db.pool)
	if err != nil {
		d.problem("See Postgres's log.", "%s", sentence(err))
		return
	}
	d.judgeServer(server)
	if err := postgres.TrySessions(ctx, db.pool); err != nil {
		d.problem("Connect to Postgres itself, or set the pooler to pool_mode = session.", "sessions are not kept, as behind a pooler: %s", sentence(err))
	} else {
		d.ok("advisory locks hold and notifications arrive")
	}
	d.check = "schema"
	schema, err := postgres.SchemaOf(ctx, db.pool)
	switch {
	case err != nil:
		d.problem("See Postgres's log.", "%s", sentence(err))
		return
	case schema.Newer():
		d.warn("Upgrade this node too.", "the schema, %d, is newer than this program, which knows %d", schema.Version, schema.Newest)
	case !schema.Current():
		d.warn("Run: ragify migrate up. A start of the service does so too.", "the schema is %d, this program's is %d", schema.Version, schema.Newest)
	default:
		d.ok("up to date: %d", schema.Version)
	}
	if schema.Version == 0 {
		return
	}
	d.check = "queue"
	b, err := postgres.BacklogOf(ctx, db.pool)
	if err != nil {
		d.problem("See Postgres's log.", "%s", sentence(err))
		return
	}
	upkeep, err := workersOf(ctx, db.pool)
	if err != nil {
		d.problem("See Postgres's log.", "%s", sentence(err))
		return
	}
	d.judgeQueue(b, upkeep)
	if upkeep.Elected > 0 {
		d.judgeCleanUp(upkeep)
	}
}

// workersOf looks for workers, and again when the one that they had elected may have died just now.
func workersOf(ctx context.Context, pool *pgxpool.Pool) (u queue.Upkeep, err error) {
	const pause = time.Second
	for deadline := time.Now().Add(electionTime); ; {
		if u, err = queue.Examine(ctx, pool); err != nil || u.Elected > 0 || time.Now().After(deadline) {
			return u, err
		}
		select {
		case <-ctx.Done():
			return u, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (d *doctor) judgeQueue(b postgres.Backlog, upkeep queue.Upkeep) {
	const start = "Start ragify serve or ragify work with WORKERS above 0, and see their logs."
	switch {
	case upkeep.Elected == 0 && b.Waiting > 0:
		d.problem(start, "%d jobs wait, the first for %v, and no node has workers", b.Waiting, b.Oldest.Round(time.Second))
	case upkeep.Elected == 0:
		d.warn(start, "no node has workers: jobs will wait")
	case b.Oldest > stale && b.Running == 0:
		d.problem("See the workers' logs.", "%d jobs wait, the first for %v, and none runs", b.Waiting, b.Oldest.Round(time.Second))
	case b.Oldest > stale:
		d.warn("Add workers: ragify work on another machine.", "%d jobs wait, the first for %v; %d run", b.Waiting, b.Oldest.Round(time.Second), b.Running)
	case b.LongestRun > d.config.JobTimeout+time.Minute:
		d.warn("See the workers' logs.", "a job has been running without a sign for %v, longer than JOB_TIMEOUT", b.LongestRun.Round(time.Second))
	default:
		d.ok("%d jobs wait, %d run; there are workers", b.Waiting, b.Running)
	}
}

// judgeCleanUp tells whether what is periodic was done lately, by whichever node.
func (d *doctor) judgeCleanUp(upkeep queue.Upkeep) {
	d.check = "clean-up"
	for _, r := range upkeep.Rounds {
		switch ago := r.Done.Round(time.Second); {
		case r.Failed:
			d.warn("See the workers' logs: often the bucket refuses to list or to delete.", "%s: the last round failed", r.Name)
		case r.Late(upkeep.Elected):
			d.warn("See the workers' logs.", "%s: no round for %v", r.Name, max(ago, upkeep.Elected.Round(time.Second)))
		case r.Done == 0:
			d.ok("%s: the first round is to come", r.Name)
		default:
			d.ok("%s: last done %v ago", r.Name, ago)
		}
	}
}

func (d *doctor) judgeServer(s postgres.Server) {
	switch {
	case s.VersionNumber < oldestPostgres:
		d.problem("Upgrade Postgres to 13 or newer.", "Postgres %s is too old", s.Version)
	case s.Standby:
		d.problem("Let DATABASE_URL name the primary; target_session_attrs=read-write finds it among several hosts.", "this Postgres is a standby and takes no writes")
	case !s.CreatesTables:
		d.problem("As a superuser: GRANT CREATE ON SCHEMA public TO the user in DATABASE_URL.", "the user may not create tables, so migrations fail")
	default:
		d.ok("Postgres %s, one statement in %v", s.Version, s.Distance.Round(100*time.Microsecond))
	}
	if left := s.MaxConnections - s.Connections; left < nodeConnections {
		d.warn("Raise max_connections: 25 a node, and some for you.", "%d of %d connections are open, a node takes up to %d", s.Connections, s.MaxConnections, nodeConnections)
	} else {
		d.ok("%d of %d connections are open, a node takes up to %d", s.Connections, s.MaxConnections, nodeConnections)
	}
	d.judgeClock("Postgres's", s.Ahead)
}

// judgeClock compares another machine's clock with ours.
func (d *doctor) judgeClock(whose string, ahead time.Duration) {
	check := d.check
	d.check = "clocks"
	defer func() { d.check = check }()
	if ahead.Abs() > clockTolerance {
		d.problem("Run an NTP client, such as chrony, on both machines.", "%s clock differs from this machine's by %v", whose, ahead.Round(time.Second))
		return
	}
	d.ok("%s clock agrees with this machine's", whose)
}

func (d *doctor) lookAtBucket(ctx context.Context) {
	const advice = "Check BLOB_URL, the AWS_… credentials, and that they allow to list, get, put and delete objects."
	keys, err := d.config.signingKeys()
	if err != nil {
		return // told already
	}
	store, err := blob.Open(ctx, d.config.BlobURL, blob.Options{PublicURL: d.config.PublicURL, SigningKey: keys[0]})
	if err != nil {
		d.problem(advice, "BLOB_URL: %s", sentence(err))
		return
	}
	defer func() { _ = store.Close() }() // it only read and wrote a probe
	if err := store.Ping(ctx); err != nil {
		d.problem(advice, "%s", sentence(err))
		return
	}
	if err := d.probe(ctx, store); err != nil {
		d.problem(advice, "%s", sentence(err))
		return
	}
	d.ok("a file was written, listed, read and deleted")
}

// probe does with a small object what the service does with files.
func (d *doctor) probe(ctx context.Context, store *blob.Store) (err error) {
	content := []byte(rand.Text())
	const folder = "jobs/doctor/" // a bucket's policy may allow jobs/ only; of no job, so that no sweep looks at it
	key := folder + rand.Text()
	if err := store.Put(ctx, key, "text/plain", bytes.NewReader(content)); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.DeletePrefix(context.WithoutCancel(ctx), folder)) }()
	listed := false
	err = store.List(ctx, folder, func(found string, _ time.Time) error {
		listed = listed || found == key
		return nil
	})
	if err != nil {
		return err
	}
	r, _, err := store.Get(ctx, key)
	if err != nil {
		return err
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if !listed || !bytes.Equal(got, content) {
		return errors.New("the file that was written is not listed, or has other content")
	}
	if store.Handler(func(http.ResponseWriter, *http.Request, error) {}) != nil {
		return nil // links lead to the service itself, which need not run now
	}
	link, err := store.SignedURL(ctx, key, "probe.txt", time.Minute)
	if err != nil {
		return err
	}
	return d.download(ctx, link)
}

// download follows a link as a client would, and looks at the server's clock on the way.
func (d *doctor) download(ctx context.Context, link string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		// The link in the error's text would let a reader download.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		d.warn("Clients download from the S3 server itself: give an address that they reach as public_endpoint in BLOB_URL.", "a download link does not work from here: %s", err)
		return nil
	}
	defer res.Body.Close()
	if theirs, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		d.judgeClock("the bucket's", time.Until(theirs).Truncate(time.Second))
	}
	if res.StatusCode != http.StatusOK {
		d.warn("Check the credentials and the clock: the S3 server refuses links made with them.", "a download link answers %s", res.Status)
	}
	return nil
}

func (d *doctor) lookAtClerk(ctx context.Context) {
	c := d.config
	if c.ClerkJWTKey == "" && c.ClerkSecretKey == "" {
		d.ok("not configured: only API keys are accepted")
		return
	}
	ahead, err := auth.Probe(ctx, auth.Clerk{SecretKey: c.ClerkSecretKey, JWTKey: c.ClerkJWTKey})
	if err != nil {
		d.problem("Copy the keys from Clerk's dashboard, API keys, and let this machine reach api.clerk.com.", "%s", sentence(err))
		return
	}
	d.ok("the keys are good")
	if c.ClerkSecretKey != "" {
		d.judgeClock("Clerk's", ahead)
	}
	if len(c.ClerkAuthorizedParties) == 0 {
		d.warn("Set CLERK_AUTHORIZED_PARTIES to the origins of your front ends.", "tokens made for any origin are accepted")
	}
	if c.ClerkIssuer == "" {
		d.warn("Set CLERK_ISSUER to your instance's Frontend API URL.", "tokens of any Clerk instance that has the key are accepted")
	}
}

// lookAtProviders tells which events from outside are received. Their secrets cannot be tried.
func (d *doctor) lookAtProviders(context.Context) {
	c, base := d.config, strings.TrimSuffix(d.config.PublicURL, "/")
	if c.ClerkWebhookSecret == "" && c.LemonSqueezySecret == "" {
		d.ok("not configured: no events of Clerk or Lemon Squeezy are received")
	}
	if c.ClerkWebhookSecret != "" {
		d.ok("events of Clerk are received at %s/webhooks/clerk", base)
	}
	if c.LemonSqueezySecret == "" {
		return
	}
	d.ok("events of Lemon Squeezy are received at %s/webhooks/lemonsqueezy, for %d variants", base, len(c.variants))
	if c.LemonSqueezyTestMode {
		d.warn("Set LEMONSQUEEZY_TEST_MODE to false where customers pay.", "only events of Lemon Squeezy's test mode are received")
	}
}

func (d *doctor) lookAtEngine(ctx context.Context) {
	const advice = "Check ENGINE_CACHE_DIR, which must be private to this user, and the memory that the process may take."
	if err := d.tryEngine(ctx); err != nil {
		d.problem(advice, "%s", sentence(err))
	}
}

// tryEngine has a child look at every page of the sample, and convert it.
func (d *doctor) tryEngine(ctx context.Context) (err error) {
	command, err := engineChild()
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{Command: command, Children: 1, CacheDir: d.config.EngineCacheDir, MemoryLimit: engineMemory, Logger: quietLogger()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	dir, err := os.MkdirTemp(d.config.tempDir(), "doctor-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "sample.pdf")
	if err := os.WriteFile(path, sample, 0o600); err != nil {
		return err
	}
	info, err := e.Inspect(ctx, path, "", true)
	if err != nil {
		return err
	}
	options := option.Default()
	options.OCR = "off" // looked at apart
	result, err := e.Convert(ctx, engine.Request{Source: path, OutDir: dir, Stem: "result", Options: options}, nil)
	if err != nil {
		return err
	}
	for _, o := range result.Outputs {
		if f, err := os.Stat(filepath.Join(dir, o.Name)); err != nil || f.Size() == 0 {
			return errors.Join(errors.New("a result is missing or empty"), err)
		}
	}
	d.ok("a child started in its sandbox and converted %d pages", info.Pages)
	return nil
}

func (d *doctor) lookAtOCR(ctx context.Context) {
	program, err := ocr.Find(ctx)
	switch {
	case errors.Is(err, ocr.ErrNotInstalled):
		d.warn("Install Tesseract: apt-get install tesseract-ocr, and tesseract-ocr-deu and the like for languages.", "not installed: scanned pages stay without text")
	case err != nil:
		d.problem("Run \"tesseract --list-langs\" by hand and see what it says.", "Tesseract does not run: %s", sentence(err))
	default:
		if _, missing := program.Split([]string{"eng"}); len(missing) > 0 {
			d.warn("Install tesseract-ocr-eng.", "Tesseract has no English model, the default of ocr_languages")
			return
		}
		d.ok("Tesseract reads %s", strings.Join(program.Languages(), ", "))
	}
}
