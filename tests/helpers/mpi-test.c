// SPDX-License-Identifier: Apache-2.0
/*
 * mpi-test.c - do the ranks of an MPI job reach each other?
 *
 *	mpi-test		  a token goes round, everybody's number is summed up; a line by rank 0
 *	mpi-test bandwidth BYTES  between ranks 0 and 1, in MB/s: the best of some rounds
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS      30
#define ROUND_BYTES (64L << 20)

static int rank, size;

/* Larger than any eager limit, so that the data goes the way that large messages go. */
#define TOKEN_INTS (1 << 18)

static int go_round(void)
{
	int *token = calloc(TOKEN_INTS, sizeof(*token));
	int count = TOKEN_INTS;

	if (!token)
		return 1;
	if (rank == 0) {
		token[count - 1] = 1;
		MPI_Send(token, count, MPI_INT, 1 % size, 0, MPI_COMM_WORLD);
	}
	MPI_Recv(token, count, MPI_INT, (rank + size - 1) % size, 0, MPI_COMM_WORLD,
		 MPI_STATUS_IGNORE);
	if (rank > 0) {
		token[count - 1]++;
		MPI_Send(token, count, MPI_INT, (rank + 1) % size, 0, MPI_COMM_WORLD);
	}
	count = token[count - 1];
	free(token);
	return rank == 0 && count != size;
}

static int sum_up(void)
{
	int sum = 0, one = rank + 1;

	MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
	return sum != size * (size + 1) / 2;
}

static double one_round(char *buf, int bytes, long n)
{
	double start = MPI_Wtime();

	for (long i = 0; i < n; i++) {
		if (rank == 0)
			MPI_Send(buf, bytes, MPI_BYTE, 1, 0, MPI_COMM_WORLD);
		if (rank == 1)
			MPI_Recv(buf, bytes, MPI_BYTE, 0, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
	}
	MPI_Barrier(MPI_COMM_WORLD);
	return (double)bytes * (double)n / (MPI_Wtime() - start) / 1e6;
}

static int bandwidth(int bytes)
{
	char *buf = bytes > 0 ? malloc((size_t)bytes) : NULL;
	double best = 0;

	if (!buf || size < 2)
		return 1;
	memset(buf, rank, (size_t)bytes);
	for (int i = 0; i < ROUNDS; i++) {
		double now = one_round(buf, bytes, ROUND_BYTES / bytes + 1);

		if (now > best)
			best = now;
	}
	if (rank == 0)
		printf("%.0f\n", best);
	free(buf);
	return 0;
}

int main(int argc, char **argv)
{
	int failed, any = 0;

	MPI_Init(&argc, &argv);
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	MPI_Comm_size(MPI_COMM_WORLD, &size);
	if (argc == 3 && !strcmp(argv[1], "bandwidth"))
		failed = bandwidth(atoi(argv[2]));
	else
		failed = go_round() | sum_up();
	MPI_Allreduce(&failed, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
	if (rank == 0 && argc == 1)
		printf("%d ranks: %s\n", size, any ? "failed" : "round and summed up");
	MPI_Finalize();
	return any;
}
