/* The queue between whoever has something to say and the loop that writes it. */
#include "core/stream.h"

#include <stdlib.h>
#include <string.h>

static void on_posted(struct loop_task *task)
{
    struct stream *s = (struct stream *)((char *)task - offsetof(struct stream, task));
    bool open;

    pthread_mutex_lock(&s->lock);
    s->posted = false;
    open = s->open;
    pthread_mutex_unlock(&s->lock);
    /* before the head is out the transport does not know the stream: it looks by itself then */
    if (open && s->call->dispatch.step == STEP_ANSWER)
        s->call->transport->flush(s->call);
    stream_release(s);
}

/* Under the lock. The message holds a reference of its own. A call within a call has no loop. */
static void post(struct stream *s)
{
    if (s->call->dispatch.heard) {
        s->call->dispatch.heard(s->call);
        return;
    }
    if (s->posted)
        return;
    s->posted = true;
    atomic_fetch_add(&s->refs, 1);
    loop_post(s->call->loop, &s->task);
}

struct stream *stream_open(struct call *c, int status)
{
    struct stream *s = calloc(1, sizeof(*s));

    if (!s)
        abort();
    pthread_mutex_init(&s->lock, NULL);
    s->parts_tail = &s->parts;
    s->refs = 2;
    s->open = true;
    s->call = c;
    s->task.run = on_posted;
    c->stream = s;
    c->reply.status = status;
    c->reply.content_length = -1;
    return s;
}

bool stream_send(struct stream *s, struct bytes data)
{
    struct stream_part *part = malloc(sizeof(*part) + data.len);
    bool sent;

    if (!part)
        abort();
    part->next = NULL;
    part->len = data.len;
    memcpy(part->data, data.data, data.len);
    pthread_mutex_lock(&s->lock);
    sent = s->open && !s->ended && !s->too_slow;
    if (sent && s->queued + data.len > STREAM_QUEUE_MAX) {
        s->too_slow = true;
        sent = false;
        post(s);
    }
    if (sent) {
        *s->parts_tail = part;
        s->parts_tail = &part->next;
        s->queued += data.len;
        post(s);
    }
    pthread_mutex_unlock(&s->lock);
    if (!sent)
        free(part);
    return sent;
}

void stream_hold(struct stream *s, bool hold)
{
    pthread_mutex_lock(&s->lock);
    if (s->open && s->held != hold) {
        s->held = hold;
        post(s);
    }
    pthread_mutex_unlock(&s->lock);
}

bool stream_is_held(struct stream *s)
{
    bool held;

    pthread_mutex_lock(&s->lock);
    held = s->held;
    pthread_mutex_unlock(&s->lock);
    return held;
}

void stream_end(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->open && !s->ended) {
        s->ended = true;
        post(s);
    }
    pthread_mutex_unlock(&s->lock);
}

void stream_release(struct stream *s)
{
    if (atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    stream_parts_free(s->parts);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

struct stream_part *stream_take(struct stream *s, bool *ret_end)
{
    struct stream_part *parts;

    pthread_mutex_lock(&s->lock);
    parts = s->parts;
    s->parts = NULL;
    s->parts_tail = &s->parts;
    s->queued = 0;
    *ret_end = s->ended;
    pthread_mutex_unlock(&s->lock);
    if (parts && s->on_room)
        s->on_room(s);
    return parts;
}

size_t stream_queued(struct stream *s)
{
    size_t queued;

    pthread_mutex_lock(&s->lock);
    queued = s->queued;
    pthread_mutex_unlock(&s->lock);
    return queued;
}

void stream_parts_free(struct stream_part *parts)
{
    while (parts) {
        struct stream_part *next = parts->next;

        free(parts);
        parts = next;
    }
}

bool stream_is_cut(struct stream *s)
{
    bool cut;

    pthread_mutex_lock(&s->lock);
    cut = s->too_slow;
    pthread_mutex_unlock(&s->lock);
    return cut;
}

void stream_closed(struct stream *s)
{
    pthread_mutex_lock(&s->lock);
    s->open = false;
    pthread_mutex_unlock(&s->lock);
    if (s->on_close)
        s->on_close(s);
    stream_release(s);
}
