//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// freeSpace is how many bytes this user can still write to the file system of dir.
func freeSpace(dir string) (uint64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}
