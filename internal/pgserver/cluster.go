//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// identity is the user that Postgres runs as. A nil *identity is the current user.
type identity struct {
	name     string
	uid, gid uint32
}

// chooseIdentity picks the user for the cluster at data. Postgres refuses to run as root: there, it is
// the cluster's owner when the cluster exists, else an unprivileged user of the system.
func chooseIdentity(data string) (*identity, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	if fi, err := os.Stat(data); err == nil {
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid != 0 {
			return &identity{name: "user " + strconv.Itoa(int(st.Uid)), uid: st.Uid, gid: st.Gid}, nil
		}
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
		if errUID == nil && errGID == nil {
			return &identity{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("running as root, which Postgres refuses, and there is no user postgres or nobody to run it as: " +
		"add one, run ragify as an ordinary user, or set DATABASE_URL")
}

// own hands path to the identity.
func (i *identity) own(path string) error {
	if i == nil {
		return nil
	}
	return os.Chown(path, int(i.uid), int(i.gid))
}

// reaches reports whether the identity can walk down to dir: each folder on the way has to let it pass.
func (i *identity) reaches(dir string) bool {
	if i == nil {
		return true
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	for p := real; ; p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if err != nil {
			return false
		}
		pass := os.FileMode(0o001)
		if st, ok := fi.Sys().(*syscall.Stat_t); ok && st.Uid == i.uid {
			pass = 0o100
		} else if ok && st.Gid == i.gid {
			pass = 0o010
		}
		if fi.Mode()&pass == 0 {
			return false
		}
		if p == filepath.Dir(p) {
			return true
		}
	}
}

// launcher runs the programs of Postgres on one cluster as one user.
type launcher struct {
	bin  string
	data string
	who  *identity
	test bool
}

func newLauncher(o Options, data string) (*launcher, error) {
	who, err := chooseIdentity(data)
	if err != nil {
		return nil, err
	}
	if !who.reaches(o.BinDir) {
		return nil, fmt.Errorf("the Postgres programs in %s cannot be reached by %s, which they run as because ragify runs as root: "+
			"set PG_BINDIR to others, run ragify as an ordinary user, or set DATABASE_URL", o.BinDir, who.name)
	}
	return &launcher{bin: o.BinDir, data: data, who: who, test: o.Test}, nil
}

// command prepares a program of Postgres on the cluster directory data. done must be called once the
// program has been started.
func (l *launcher) command(name, data string, args ...string) (cmd *exec.Cmd, done func(), err error) {
	done = func() {}
	var inherited []*os.File
	if !l.who.reaches(filepath.Dir(data)) {
		// For example below /root. We can open the directory, and a process can use what it has
		// inherited open, whatever the folders above allow.
		if inheritedDir == "" {
			return nil, nil, fmt.Errorf("%s cannot be reached by %s, which Postgres runs as because ragify runs as root: "+
				"set DATA_DIR to a folder that every user can reach, run ragify as an ordinary user, or set DATABASE_URL", data, l.who.name)
		}
		f, err := os.Open(data)
		if err != nil {
			return nil, nil, err
		}
		done = func() { _ = f.Close() }
		inherited, data = []*os.File{f}, inheritedDir
	}
	cmd = exec.Command(filepath.Join(l.bin, name), append([]string{"-D", data}, args...)...)
	cmd.Dir = "/"
	cmd.ExtraFiles = inherited
	cmd.Env = environment()
	// A group of its own: a terminal's Ctrl-C must reach us alone, who then shut Postgres down in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if l.who != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: l.who.uid, Gid: l.who.gid} // and no supplementary groups
	}
	dieWithParent(cmd.SysProcAttr)
	return cmd, done, nil
}

// environment is what Postgres gets of ours: nothing of the service's secrets, no PG… settings.
func environment() []string {
	env := []string{"LC_ALL=C", "TZ=UTC"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// ensureCluster makes the cluster when there is none. It is made under another name and renamed when
// complete, so that a kill at any moment leaves a whole cluster or none.
func (l *launcher) ensureCluster(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(l.data, "PG_VERSION")); err == nil {
		return l.checkOwner()
	}
	// A new name each time: an initdb whose start was cut short may be at work for a moment yet, and
	// takes away by name what it has made.
	const prefix = "unfinished-"
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(l.data), prefix+"*")); err == nil {
		for _, dir := range left {
			_ = os.RemoveAll(dir) // what is still being written goes at the next making
		}
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(l.data), prefix)
	if err != nil {
		return err
	}
	if err := l.who.own(unfinished); err != nil {
		return err
	}
	// The C locale exists everywhere and sorts alike everywhere.
	args := []string{"--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"}
	if l.test {
		args = append(args, "--no-sync")
	}
	cmd, done, err := l.command("initdb", unfinished, args...)
	if err != nil {
		return err
	}
	defer done()
	if out, err := runUntil(ctx, cmd); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return os.Rename(unfinished, l.data)
}

// checkOwner refuses a cluster that the current, ordinary user cannot run.
func (l *launcher) checkOwner() error {
	fi, err := os.Stat(l.data)
	if err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && l.who == nil && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("the embedded Postgres in %s belongs to user %d: run ragify as root or as that user, or set DATA_DIR or DATABASE_URL", l.data, st.Uid)
	}
	return nil
}

// runUntil runs cmd to its end and gives what it printed; when ctx ends first, its whole group is killed.
func runUntil(ctx context.Context, cmd *exec.Cmd) ([]byte, error) {
	type result struct {
		out []byte
		err error
	}
	pid := make(chan int, 1)
	end := make(chan result, 1)
	go func() {
		defer pinThread()()
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Start()
		if err == nil {
			pid <- cmd.Process.Pid
			err = cmd.Wait()
		}
		end <- result{[]byte(out.String()), err}
	}()
	select {
	case r := <-end:
		return r.out, r.err
	case <-ctx.Done():
	}
	select {
	case p := <-pid:
		_ = syscall.Kill(-p, syscall.SIGKILL) // fails only when the group has ended by itself
		<-end
	case <-end:
	}
	return nil, ctx.Err()
}

// clearLeftovers removes what a killed owner left: its server, when that still runs, its socket
// directory and the pid file. The caller holds the lock, so any server on the cluster is an orphan.
func clearLeftovers(ctx context.Context, dir, data string) error {
	pidFile := filepath.Join(data, "postmaster.pid")
	for n := 0; ; n++ {
		users := clusterUsers(data)
		if len(users) == 0 {
			break
		}
		if pid := readPid(pidFile); n%100 == 0 && slices.Contains(users, pid) { // ask again every second
			_ = syscall.Kill(pid, syscall.SIGINT) // fails only when it has ended by itself
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("a Postgres left behind in %s (processes %v) does not end: %w", data, users, ctx.Err())
		case <-time.After(pollInterval):
		}
	}
	removeStaleSocket(dir)
	// Stale whatever process number it names: that number may belong to anybody by now.
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// readPid gives the server's process number from its pid file, 0 when there is none.
func readPid(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(first)) // 0 when it is not a number
	return pid
}
