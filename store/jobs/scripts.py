"""The steps that must happen whole or not at all, as scripts that run inside Redis.

A chunk that was given out has an entry in the job's ``:open`` hash until it is done. ``s`` is its state: ``queued``,
its message ``m`` waits in stream ``q``; ``claimed``, worker ``w`` holds it under token ``t`` until ``l``, by its call
``c``; ``waiting``, not before ``d``. ``a`` counts the workers that were lost over it, ``b`` the attempts
at it that broke off. Times are milliseconds of Redis'
own clock. At most ``WINDOW`` chunks of a job are given out at a time, so that what Redis holds does not grow with it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from medner.store.jobs.keys import ACTIVE_JOBS, QUEUES, SUBMIT_KEYS, UNTIDY
from medner.store.jobs.states import ACTIVE, TERMINAL, TRANSITIONS, JobState
from medner.store.redis.client import Client

#: Chunks of one job that wait in a stream or are worked on at a time.
WINDOW = 512
TASK = "medner.chunk"
#: What a job has beside its hash.
PARTS = ("in", "res", "parts", "open", "tries", "dead", "refused", "sizes")


def _table(entries: dict[str, str]) -> str:
    return "{" + ", ".join(f"['{key}'] = {value}" for key, value in entries.items()) + "}"


def _states(states: frozenset[JobState]) -> str:
    return _table({state.value: "true" for state in sorted(states)})


_PRELUDE = f"""
local base = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local TERMINAL = {_states(TERMINAL)}
local ACTIVE = {_states(ACTIVE)}
local FOLLOWS = {_table({before.value: _states(after) for before, after in TRANSITIONS.items()})}
local QUEUES = {_table({priority.value: f"'{name}'" for priority, name in QUEUES.items()})}
local PARTS = {{{", ".join(f"'{part}'" for part in PARTS)}}}

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
local function move(to)
  local from = get('state')
  if not from or not FOLLOWS[from][to] then return false end
  redis.call('HSET', base, 'state', to)
  if TERMINAL[to] then
    redis.call('HSET', base, 'finished', now)
    redis.call('SREM', '{ACTIVE_JOBS}', get('id'))
    redis.call('SADD', '{UNTIDY}', get('id'))
    local keep_s = number('keep_s')
    redis.call('EXPIRE', base, keep_s)
    if get('key') ~= '' then redis.call('EXPIRE', '{SUBMIT_KEYS}' .. get('key'), keep_s) end
    for _, part in ipairs(PARTS) do redis.call('EXPIRE', base .. ':' .. part, keep_s) end
  elseif ACTIVE[to] then
    if TERMINAL[from] then
      redis.call('HDEL', base, 'finished', 'reason', 'problem')
      redis.call('PERSIST', base)
      if get('key') ~= '' then redis.call('PERSIST', '{SUBMIT_KEYS}' .. get('key')) end
      for _, part in ipairs(PARTS) do redis.call('PERSIST', base .. ':' .. part) end
    end
    redis.call('SADD', '{ACTIVE_JOBS}', get('id'))
  end
  return true
end
local function send(n, entry)
  local id = get('id')
  entry.q = QUEUES[get('priority')]
  entry.s = 'queued'
  entry.m = redis.call('XADD', entry.q, '*', 'data', string.format(
    '{{"task_id":"%s.%d","task_name":"{TASK}","labels":{{}},"labels_types":null,"args":["%s",%d],"kwargs":{{}}}}',
    id, n, id, n))
  keep(n, entry)
end
local function issue()
  local room = {WINDOW} - redis.call('HLEN', base .. ':open')
  local next_one, chunks = number('next'), number('chunks')
  while room > 0 and next_one < chunks do
    send(next_one, {{a = 0}})
    next_one, room = next_one + 1, room - 1
  end
  redis.call('HSET', base, 'next', next_one)
end
local function finish()
  if not ACTIVE[get('state')] or number('chunks_done') < number('chunks') then return end
  if number('dead') == 0 then return move('completed') end
  if get('state') == 'queued' then move('running') end
  return move('completed_with_errors')
end
local function count(sentences, counts)
  redis.call('HINCRBY', base, 'done', sentences)
  for field, by in pairs(counts) do redis.call('HINCRBY', base, field, by) end
end
"""

# ARGV: submitter, lease ms, chunk number, sentences, documents, payload ('' where a folder has it).
_ADD = """
if get('state') ~= 'submitting' then return get('state') or 'gone' end
if get('submitter') ~= ARGV[1] then return 'taken over' end
if number('chunks') == tonumber(ARGV[3]) then
  if ARGV[6] ~= '' then redis.call('HSET', base .. ':in', ARGV[3], ARGV[6]) end
  redis.call('HINCRBY', base, 'chunks', 1)
  redis.call('HINCRBY', base, 'sentences', ARGV[4])
  redis.call('HINCRBY', base, 'documents', ARGV[5])
  redis.call('HSET', base .. ':sizes', ARGV[3], ARGV[5])
end
redis.call('HSET', base, 'submit_until', now + ARGV[2])
return 'ok'
"""

# ARGV: submitter.
_SEAL = """
if get('submitter') ~= ARGV[1] then return 'taken over' end
if not move('queued') then return get('state') or 'gone' end
redis.call('HSET', base, 'sealed', 1)
issue()
finish()
return 'ok'
"""

# ARGV: chunk, worker, lease ms, a word of this call's own (asked again, it gives the same claim). Gives what became of
# it; with 'ok' the token, how many workers were lost over the chunk, 1 where anything of it was done before, and the
# chunk itself where it is here.
_CLAIM = """
local state = get('state')
if not state then return {'gone'} end
if not ACTIVE[state] then return {state} end
local entry = chunk(ARGV[1])
if not entry then return {'done'} end
if entry.s == 'claimed' then
  if entry.c == ARGV[4] then return {'ok', entry.t, entry.a, 1, redis.call('HGET', base .. ':in', ARGV[1])} end
  if entry.l > now then return {'held'} end
  entry.a = entry.a + 1
elseif entry.s == 'waiting' and entry.d > now then
  return {'later'}
end
entry.s, entry.w, entry.l, entry.c = 'claimed', ARGV[2], now + ARGV[3], ARGV[4]
entry.t = redis.call('HINCRBY', base, 'token', 1)
keep(ARGV[1], entry)
if state == 'queued' then
  move('running')
  if not get('started') then redis.call('HSET', base, 'started', now) end
end
local known = redis.call('EXISTS', base .. ':part:' .. ARGV[1]) + redis.call('EXISTS', base .. ':tries')
known = known + redis.call('HEXISTS', base .. ':res', ARGV[1]) + redis.call('HEXISTS', base .. ':parts', ARGV[1])
return {'ok', entry.t, entry.a, known > 0 and 1 or 0, redis.call('HGET', base .. ':in', ARGV[1])}
"""

# ARGV: lease ms, then chunk and token of each claim. Gives the job's state, then 1 or 0 a claim.
_RENEW = """
local answer = {get('state') or 'gone'}
for i = 2, #ARGV, 2 do
  local entry = holds(ARGV[i], ARGV[i + 1])
  if entry then
    entry.l = now + ARGV[1]
    keep(ARGV[i], entry)
  end
  answer[#answer + 1] = entry and 1 or 0
end
return answer
"""

# ARGV: chunk, token, then index, result and counts of each sentence. Keeps results of a chunk that is under way.
_RECORD = """
if not holds(ARGV[1], ARGV[2]) then return 0 end
local part = base .. ':part:' .. ARGV[1]
for i = 3, #ARGV, 3 do
  -- Asked again because an answer was lost, it finds the result there and counts nothing.
  if redis.call('HSETNX', part, ARGV[i], ARGV[i + 1]) == 1 then count(1, cjson.decode(ARGV[i + 2])) end
end
return 1
"""

# ARGV: chunk, token, index. Counts an attempt at a sentence, before or after it.
_ATTEMPT = """
if not holds(ARGV[1], ARGV[2]) then return 0 end
return redis.call('HINCRBY', base .. ':tries', ARGV[1] .. ':' .. ARGV[3], 1)
"""

# ARGV: chunk, token, where ('res' or 'parts'), the results or the part; of the sentences that were not recorded before,
# how many and what they add to the counters; index and letter of each dead one. Ends a chunk.
_COMPLETE = """
if not holds(ARGV[1], ARGV[2]) then
  local known = redis.call('HGET', base .. ':parts', ARGV[1])
  if ARGV[3] == 'parts' and known == ARGV[4] then return 1 end
  return 0
end
count(ARGV[5], cjson.decode(ARGV[6]))
for i = 7, #ARGV, 2 do
  redis.call('HSET', base .. ':dead', ARGV[1] .. ':' .. ARGV[i], ARGV[i + 1])
  redis.call('HINCRBY', base, 'dead', 1)
  redis.call('HDEL', base .. ':tries', ARGV[1] .. ':' .. ARGV[i])
  local letter = cjson.decode(ARGV[i + 1])
  redis.call('HSETNX', base, 'problem', letter.kind .. ': ' .. letter.error)
end
redis.call('HSET', base .. ':' .. ARGV[3], ARGV[1], ARGV[4])
redis.call('DEL', base .. ':part:' .. ARGV[1])
redis.call('HDEL', base .. ':open', ARGV[1])
redis.call('HINCRBY', base, 'chunks_done', 1)
if ACTIVE[get('state')] then
  issue()
  finish()
else
  -- A job that has ended keeps an end: what was written now must expire as well.
  for _, name in ipairs(PARTS) do redis.call('EXPIRE', base .. ':' .. name, number('keep_s')) end
end
return 1
"""

# ARGV: chunk, token, delay ms. Gives a chunk back: to the queue at once, or not before a time.
_RELEASE = """
local entry = holds(ARGV[1], ARGV[2])
if not entry then return 0 end
entry.t, entry.w, entry.l = nil, nil, nil
if tonumber(ARGV[3]) > 0 or not ACTIVE[get('state')] then
  entry.s, entry.d = 'waiting', now + ARGV[3]
  keep(ARGV[1], entry)
else
  send(tonumber(ARGV[1]), entry)
end
return 1
"""

# ARGV: chunk, token, attempts, first back-off ms, reason. Counts an attempt at a whole chunk that broke off. Gives how
# many there were, 0 when the claim no longer holds; before the last the chunk waits to be tried again, after it the
# claim stays, for the holder to give the chunk up.
_BREAK_OFF = """
local entry = holds(ARGV[1], ARGV[2])
if not entry then return 0 end
entry.b = (entry.b or 0) + 1
redis.call('HSET', base, 'problem', ARGV[5])
if entry.b < tonumber(ARGV[3]) then
  entry.t, entry.w, entry.l = nil, nil, nil
  entry.s, entry.d = 'waiting', now + math.min(ARGV[4] * 3 ^ (entry.b - 1), 300000)
end
keep(ARGV[1], entry)
return entry.b
"""

# ARGV: back-off ms after a lost worker. Gives chunks sent anew: their holder was lost, their time has come, or their
# message is gone.
_SWEEP = """
if not ACTIVE[get('state')] then return 0 end
local sent = 0
local raw = redis.call('HGETALL', base .. ':open')
for i = 1, #raw, 2 do
  local n, entry = tonumber(raw[i]), cjson.decode(raw[i + 1])
  if entry.s == 'claimed' and entry.l <= now then
    entry.a = entry.a + 1
    entry.t, entry.w, entry.l = nil, nil, nil
    entry.s, entry.d = 'waiting', now + ARGV[1] * (entry.a - 1)
    keep(n, entry)
  end
  if entry.s == 'waiting' and entry.d <= now then
    send(n, entry)
    sent = sent + 1
  elseif entry.s == 'queued' and #redis.call('XRANGE', entry.q, entry.m, entry.m) == 0 then
    send(n, entry)
    sent = sent + 1
  end
end
issue()
finish()
return sent
"""

# Gives 'ok' where it is cancelled now, else the state it is in.
_CANCEL = """
if not move('cancelled') then return get('state') or 'gone' end
return 'ok'
"""

# ARGV: reason.
_FAIL = """
if not move('failed') then return 0 end
redis.call('HSET', base, 'reason', ARGV[1])
return 1
"""

# Opens the chunks of dead letters again and lets the rest of a job go on. Gives the sentences that are to be done.
_REPLAY = """
local state = get('state')
if not state then return {'gone', 0} end
if state == 'completed' then return {'ok', 0} end
if not TERMINAL[state] then return {state, 0} end
if not get('sealed') then return {'unsealed', 0} end
local letters = redis.call('HKEYS', base .. ':dead')
for _, place in ipairs(letters) do
  local n = string.match(place, '^(%d+):')
  if not chunk(n) then
    keep(n, {a = 0, s = 'waiting', d = 0})
    redis.call('HINCRBY', base, 'chunks_done', -1)
  end
end
redis.call('DEL', base .. ':dead', base .. ':tries', base .. ':refused')
redis.call('HSET', base, 'dead', 0)
move('queued')
local raw = redis.call('HGETALL', base .. ':open')
for i = 1, #raw, 2 do
  local entry = cjson.decode(raw[i + 1])
  if entry.s ~= 'claimed' or entry.l <= now then
    entry.t, entry.w, entry.l, entry.b, entry.a = nil, nil, nil, nil, 0
    send(tonumber(raw[i]), entry)
  end
end
issue()
finish()
return {'ok', number('sentences') - number('done')}
"""

# On a submitter's key. ARGV: job. Takes the key away if it still leads to that job.
_FORGET = """
if redis.call('GET', base) ~= ARGV[1] then return 0 end
return redis.call('DEL', base)
"""

_BODIES = {
    "add": _ADD,
    "seal": _SEAL,
    "claim": _CLAIM,
    "renew": _RENEW,
    "record": _RECORD,
    "attempt": _ATTEMPT,
    "complete": _COMPLETE,
    "release": _RELEASE,
    "break_off": _BREAK_OFF,
    "sweep": _SWEEP,
    "cancel": _CANCEL,
    "fail": _FAIL,
    "replay": _REPLAY,
    "forget": _FORGET,
}


class Scripts:
    """The scripts, ready to be called on one server: ``await scripts("claim", key, ...)``."""

    def __init__(self, redis: Client) -> None:
        self._known = {name: redis.register_script(_PRELUDE + body) for name, body in _BODIES.items()}

    def __call__(self, name: str, key: str, *arguments: Any, client: Any = None) -> Awaitable[Any]:
        """The answer of a script on the job ``key``; with a pipeline as ``client`` it comes with the pipeline's."""
        result: Awaitable[Any] = self._known[name](keys=[key], args=list(arguments), client=client)
        return result
