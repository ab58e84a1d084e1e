/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * measure COMMAND [ARG...]: runs it with its standard output thrown away, and prints on standard output
 *
 *	wall-us user-us system-us peak-KiB status
 *
 * A process inherits its parent's peak memory until exec, so whoever measures small programs must be smaller than they:
 * hence a program of its own, not a line of Python. What the command leaves behind is adopted and counted, too. The
 * peak is that of the largest single process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long us(struct timeval t)
{
	return t.tv_sec * 1000000ll + t.tv_usec;
}

static long long now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
	struct rusage ru;
	long long start, wall;
	int status = 0, null, other;
	pid_t pid;

	if (argc < 2) {
		fputs("usage: measure COMMAND [ARG...]\n", stderr);
		return 2;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	start = now_us();
	pid = fork();
	if (pid == 0) {
		null = open("/dev/null", O_RDWR);
		if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
			_exit(126);
		execvp(argv[1], argv + 1);
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	wall = now_us() - start;
	alarm(10); /* for a daemon that stays: no figure is better than a wrong one */
	while (waitpid(-1, &other, 0) > 0 || errno == EINTR)
		;
	if (pid < 0 || getrusage(RUSAGE_CHILDREN, &ru) < 0)
		return 1;
	printf("%lld %lld %lld %ld %d\n", wall, us(ru.ru_utime), us(ru.ru_stime), ru.ru_maxrss,
	       WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
