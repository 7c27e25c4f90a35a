/* A graph of empty tasks in StarPU, for overhead_starpu.py: begin() once, run() as often as wanted, end() once. */

#include <starpu.h>
#include <stdlib.h>

static void nothing(void *buffers[], void *argument)
{
    (void)buffers;
    (void)argument;
}

static struct starpu_codelet empty = {.cpu_funcs = {nothing}, .nbuffers = 0, .name = "nothing"};

int begin(int cpus)
{
    struct starpu_conf conf;
    starpu_conf_init(&conf);
    conf.ncpus = cpus;
    conf.ncuda = 0;
    conf.nopencl = 0;
    return starpu_init(&conf);
}

/* Task i depends on parents[first[i]] .. parents[first[i + 1] - 1], all of them before it. */
int run(int count, const int *first, const int *parents)
{
    struct starpu_task **tasks = malloc(sizeof(*tasks) * (size_t)count);
    int failed = tasks == NULL;
    for (int i = 0; !failed && i < count; i++) {
        struct starpu_task *before[2];
        int known = first[i + 1] - first[i];
        for (int k = 0; k < known; k++)
            before[k] = tasks[parents[first[i] + k]];
        tasks[i] = starpu_task_create();
        tasks[i]->cl = &empty;
        tasks[i]->destroy = 0; /* a task that has ended can still be depended on */
        starpu_task_declare_deps_array(tasks[i], (unsigned)known, before);
        failed = starpu_task_submit(tasks[i]) != 0;
    }
    if (failed)
        return 1;
    starpu_task_wait_for_all();
    for (int i = 0; i < count; i++)
        starpu_task_destroy(tasks[i]);
    free(tasks);
    return 0;
}

void end(void)
{
    starpu_shutdown();
}
