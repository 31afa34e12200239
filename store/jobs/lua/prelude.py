"""What the scripts share: reading and writing a job's books, its state, the indexes of all jobs, the queue."""

from __future__ import annotations

from medner.store.jobs.keys import (
    ACTIVE_JOBS,
    LEFT,
    QUEUES,
    REVIEW_PARTS,
    STATE_INDEX,
    SUBMIT_KEYS,
    UNTIDY,
)
from medner.store.jobs.records import FORMAT
from medner.store.jobs.states import ACTIVE, TERMINAL, TRANSITIONS, JobState

#: Chunks of one job that wait in a stream or are worked on at a time.
WINDOW = 512
#: What a job has beside its hash. ``sizes`` is what version 0.1.0 kept in the place of ``ends`` and ``tree``.
PARTS = ("in", "res", "parts", "open", "tries", "dead", "refused", "sizes", "ends", "tree", *REVIEW_PARTS)


def table(entries: dict[str, str]) -> str:
    """A Lua table."""
    return "{" + ", ".join(f"['{key}'] = {value}" for key, value in entries.items()) + "}"


def _states(states: frozenset[JobState]) -> str:
    return table({state.value: "true" for state in sorted(states)})


#: A job's books, for every script.
BOOKS = f"""
local base = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ACTIVE = {_states(ACTIVE)}

local function get(field) return redis.call('HGET', base, field) end
local function number(field) return tonumber(get(field) or '0') end
local function chunk(n)
  local raw = redis.call('HGET', base .. ':open', n)
  return raw and cjson.decode(raw)
end
local function keep(n, entry) redis.call('HSET', base .. ':open', n, cjson.encode(entry)) end
local function holds(n, token)
  local entry = chunk(n)
  if entry and entry.s == 'claimed' and entry.t == tonumber(token) then return entry end
  return nil
end
"""

#: From one state to another. '{STATE_INDEX}STATE' holds the jobs of a state by the moment they expire, '{LEFT}' the
#: number of sentences of active jobs that have no end yet.
STATES = f"""
local TERMINAL = {_states(TERMINAL)}
local function parts() return {{{", ".join(f"'{part}'" for part in PARTS)}}} end
local function left() return number('sentences') - number('done') - number('dead') end
local function move(to)
  -- Made here: most calls change no state.
  local follows = {table({before.value: _states(after) for before, after in TRANSITIONS.items()})}
  local from, id = get('state'), get('id')
  if not from or not follows[from][to] then return false end
  redis.call('HSET', base, 'state', to)
  redis.call('ZREM', '{STATE_INDEX}' .. from, id)
  if TERMINAL[to] then
    local keep_s = number('keep_s')
    redis.call('HSET', base, 'finished', now)
    redis.call('SREM', '{ACTIVE_JOBS}', id)
    redis.call('SADD', '{UNTIDY}', id)
    redis.call('ZADD', '{STATE_INDEX}' .. to, now + keep_s * 1000, id)
    if ACTIVE[from] then redis.call('DECRBY', '{LEFT}', left()) end
    redis.call('EXPIRE', base, keep_s)
    if get('key') ~= '' then redis.call('EXPIRE', '{SUBMIT_KEYS}' .. get('key'), keep_s) end
    for _, part in ipairs(parts()) do redis.call('EXPIRE', base .. ':' .. part, keep_s) end
    return true
  end
  redis.call('ZADD', '{STATE_INDEX}' .. to, 'inf', id)
  if TERMINAL[from] then
    redis.call('HDEL', base, 'finished', 'reason', 'problem')
    redis.call('PERSIST', base)
    if get('key') ~= '' then redis.call('PERSIST', '{SUBMIT_KEYS}' .. get('key')) end
    for _, part in ipairs(parts()) do redis.call('PERSIST', base .. ':' .. part) end
  end
  if not ACTIVE[from] then redis.call('INCRBY', '{LEFT}', left()) end
  redis.call('SADD', '{ACTIVE_JOBS}', id)
  return true
end
"""

#: Messages, and the end of a job. A message is a hint that a chunk waits; the books decide.
QUEUE = f"""
local function send(n, entry)
  local streams = {table({priority.value: f"'{name}'" for priority, name in QUEUES.items()})}
  local facts = redis.call('HMGET', base, 'id', 'priority')
  entry.q = streams[facts[2]]
  entry.s = 'queued'
  entry.m = redis.call('XADD', entry.q, '*', 'job', facts[1], 'chunk', n)
  keep(n, entry)
end
local function issue()
  local facts = redis.call('HMGET', base, 'next', 'chunks')
  local next_one, chunks = tonumber(facts[1] or '0'), tonumber(facts[2] or '0')
  if next_one >= chunks then return end
  local room = {WINDOW} - redis.call('HLEN', base .. ':open')
  while room > 0 and next_one < chunks do
    send(next_one, {{a = 0}})
    next_one, room = next_one + 1, room - 1
  end
  redis.call('HSET', base, 'next', next_one)
end
local function finish()
  local facts = redis.call('HMGET', base, 'state', 'chunks_done', 'chunks', 'dead')
  if not ACTIVE[facts[1]] or tonumber(facts[2] or '0') < tonumber(facts[3] or '0') then return end
  if tonumber(facts[4] or '0') == 0 then return move('completed') end
  if facts[1] == 'queued' then move('running') end
  return move('completed_with_errors')
end
local function died()
  redis.call('HINCRBY', base, 'dead', 1)
  if ACTIVE[get('state')] then redis.call('DECRBY', '{LEFT}', 1) end
end
local function count(sentences, counts, state)
  if tonumber(sentences) > 0 then
    redis.call('HINCRBY', base, 'done', sentences)
    if ACTIVE[state] then redis.call('DECRBY', '{LEFT}', sentences) end
  end
  for field, by in pairs(counts) do redis.call('HINCRBY', base, field, by) end
end
"""

#: A worker's claim on a chunk. Gives what became of it; with 'ok' the token, how many workers were lost over the chunk,
#: 1 where anything of it was done before, and the chunk itself where it is here. ``call`` is a word of the call's own:
#: asked again, it gives the same claim. ``message`` is the one that was taken off its stream already.
CLAIM = f"""
local function claim(n, worker, lease, call, message)
  local facts = redis.call('HMGET', base, 'state', 'format', 'started')
  local state = facts[1]
  if not state then return {{'gone'}} end
  if not ACTIVE[state] then return {{state}} end
  if tonumber(facts[2]) > {FORMAT} then return {{'newer'}} end
  local entry = chunk(n)
  if not entry then return {{'done'}} end
  -- Never claimed and never opened again: nothing of it can have been done.
  local fresh = not entry.c and not entry.d
  if entry.s == 'claimed' then
    if entry.c == call then return {{'ok', entry.t, entry.a, 1, redis.call('HGET', base .. ':in', n)}} end
    if entry.l > now then return {{'held'}} end
    entry.a = entry.a + 1
  elseif entry.s == 'waiting' and entry.d > now then
    return {{'later'}}
  end
  if entry.m and entry.m ~= message then redis.call('XDEL', entry.q, entry.m) end
  entry.s, entry.w, entry.l, entry.c, entry.m, entry.q = 'claimed', worker, now + lease, call, nil, nil
  entry.t = redis.call('HINCRBY', base, 'token', 1)
  keep(n, entry)
  if state == 'queued' then
    move('running')
    if not facts[3] then redis.call('HSET', base, 'started', now) end
  end
  local known = 0
  if not fresh then
    known = redis.call('EXISTS', base .. ':part:' .. n, base .. ':tries')
    known = known + redis.call('HEXISTS', base .. ':res', n) + redis.call('HEXISTS', base .. ':parts', n)
  end
  return {{'ok', entry.t, entry.a, known > 0 and 1 or 0, redis.call('HGET', base .. ':in', n)}}
end
"""
