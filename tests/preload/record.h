/*
 * record: writes down every change of files below one folder, in the order in which they happen.
 * Owns: the file of SHIM_RECORD; the folder is SHIM_ROOT, empty when the process starts. The shared
 * memory of SQLite (-shm) is left out: it is never durable. SHIM_DROP=TEXT leaves out the syncs
 * of what has TEXT in its path, to show that the checker sees a program that does not sync.
 * Threads: any; a change and its record are one under a lock. Memory: none.
 * Errors: what cannot be recorded ends the process.
 *
 * A record is a line of fields with tabs between, after which W has its bytes. Files and folders go
 * by inode number: F parent name inode (made a file), D parent name inode (made a folder), W inode
 * offset bytes, T inode size, S inode (synced), R from_folder name to_folder name flags, U folder
 * name (removed).
 */
#ifndef TESTS_PRELOAD_RECORD_H
#define TESTS_PRELOAD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* True, with the lock held, when a change of path in dirfd (NULL: of dirfd itself) is recorded;
 * shim_record_end() then has to follow. */
bool shim_record_begin(int dirfd, const char *path);
void shim_record_end(void);

bool shim_record_is_new(int dirfd, const char *path); /* nothing has that name yet */
void shim_record_made(char kind, int dirfd, const char *path);
void shim_record_write(int fd, off_t offset, const void *data, size_t bytes);
void shim_record_size(int fd, off_t size);
void shim_record_sync(int fd);
void shim_record_rename(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
void shim_record_removed(int dirfd, const char *path);

#endif
