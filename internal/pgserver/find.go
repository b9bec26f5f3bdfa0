package pgserver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// minVersion is the oldest major version of Postgres that the service's SQL is written for.
const minVersion = 13

// installPatterns is where the packages of Linux distributions, Homebrew, MacPorts and Postgres.app put
// the programs of each major version. Most of these are not on anyone's PATH.
func installPatterns() []string {
	return []string{
		"/usr/lib/postgresql/*/bin",                          // Debian, Ubuntu
		"/usr/pgsql-*/bin",                                   // postgresql.org's packages for Red Hat and SUSE
		"/usr/lib/postgresql[0-9]*/bin",                      // openSUSE
		"/usr/libexec/postgresql*",                           // Alpine
		"/opt/homebrew/opt/postgresql*/bin",                  // Homebrew, Apple silicon
		"/usr/local/opt/postgresql*/bin",                     // Homebrew, Intel
		"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",     // Homebrew, Linux
		"/Applications/Postgres.app/Contents/Versions/*/bin", // Postgres.app
		"/opt/local/lib/postgresql*/bin",                     // MacPorts
	}
}

// Find chooses the folder with Postgres's programs (initdb and postgres, version 13 or newer): the one
// that PG_BINDIR names, else the newest of the usual places and PATH. The error, when there is none, is
// one sentence for the operator: what to install, or that DATABASE_URL will do.
func Find() (binDir string, err error) { return find(0) }

// find is Find for a cluster that was made by the given major version, 0 for one that is yet to be made:
// a cluster only runs under the version that made it.
func find(wanted int) (binDir string, err error) {
	if dir := os.Getenv("PG_BINDIR"); dir != "" {
		switch v := version(dir); {
		case v == 0:
			return "", fmt.Errorf("PG_BINDIR: no working initdb and postgres in %s", dir)
		case v < minVersion:
			return "", fmt.Errorf("PG_BINDIR: %s has Postgres %d, but %d or newer is needed", dir, v, minVersion)
		case wanted != 0 && v != wanted:
			return "", fmt.Errorf("PG_BINDIR: %s has Postgres %d, but the data was made by Postgres %d", dir, v, wanted)
		}
		return dir, nil
	}
	newest := 0
	for _, dir := range candidates() {
		v := version(dir)
		if v == wanted && wanted != 0 {
			return dir, nil
		}
		if v >= minVersion && v > newest {
			newest, binDir = v, dir
		}
	}
	switch {
	case newest == 0:
		return "", fmt.Errorf("no Postgres (version %d or newer) is installed here: %s, or set DATABASE_URL to one that runs elsewhere", minVersion, installHint())
	case wanted != 0:
		return "", fmt.Errorf("the embedded Postgres was made by version %d, and only version %d is installed here: install version %d again, or move the data with pg_upgrade", wanted, newest, wanted)
	}
	return binDir, nil
}

// candidates lists the folders that may hold Postgres's programs.
func candidates() (dirs []string) {
	for _, pattern := range installPatterns() {
		found, _ := filepath.Glob(pattern) // the patterns are well-formed
		dirs = append(dirs, found...)
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		// The folder may hold links to a version's own folder: there it all lies side by side.
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
		dirs = append(dirs, filepath.Dir(path))
	}
	return slices.Compact(dirs)
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// version gives the major version of the server in dir, 0 unless initdb and postgres are both there and run.
func version(dir string) int {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return 0
		}
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return 0
	}
	m := versionPattern.FindSubmatch(out)
	if m == nil {
		return 0
	}
	v, _ := strconv.Atoi(string(m[1])) // digits, and few
	return v
}

// clusterVersion gives the major version that made the cluster at data, 0 when there is no cluster.
func clusterVersion(data string) int {
	b, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return 0
	}
	v, _ := strconv.Atoi(strings.TrimSpace(string(b))) // Postgres itself complains of nonsense
	return v
}

// installHint names the command that installs Postgres on this system.
func installHint() string {
	if runtime.GOOS == "darwin" {
		return `run "brew install postgresql@17"`
	}
	for _, m := range []struct{ program, command string }{
		{"apt-get", "apt-get install postgresql"},
		{"dnf", "dnf install postgresql-server"},
		{"apk", "apk add postgresql"},
		{"zypper", "zypper install postgresql-server"},
		{"pacman", "pacman -S postgresql"},
		{"brew", "brew install postgresql@17"},
	} {
		if _, err := exec.LookPath(m.program); err == nil {
			return fmt.Sprintf("run %q", m.command)
		}
	}
	return "install your system's postgresql package"
}
