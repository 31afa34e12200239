"""The steps of a worker: a chunk is taken, held, recorded, finished, given back. All but the first carry a token."""

from __future__ import annotations

from medner.store.jobs.keys import GROUP, QUEUES, job_key
from medner.store.jobs.lua.prelude import BOOKS, CLAIM, QUEUE, STATES

_STREAMS = "{" + ", ".join(f"'{name}'" for name in QUEUES.values()) + "}"

#: What a worker asks for: from ``at`` on, ARGV holds worker, lease ms, a word of this call's own, and the jobs that it
#: cannot do; ``key`` has what was taken last. Takes the oldest message of the highest priority there is off its stream
#: and claims its chunk. Gives what became of it, the job, the chunk, and what else a claim gives; 'empty' where none
#: waits. A message for nothing (its chunk is done, held, not due, or its job has ended) is dropped. Messages of version
#: 0.1.0 are JSON, and some of them were delivered.
_TAKING = f"""
local function read(stream, message, fields)
  redis.call('XDEL', stream, message)
  if fields[1] == 'job' then return fields[2], tonumber(fields[4]) end
  redis.pcall('XACK', stream, '{GROUP}', message)
  local readable, old = pcall(cjson.decode, fields[2])
  if readable and type(old) == 'table' and type(old.args) == 'table' then return old.args[1], old.args[2] end
end
local function take(key, at)
  local worker, lease, call = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  local last, n, job = string.match(redis.call('GET', key) or '', '^(%x+) (%d+) (.*)$')
  if last == call then
    base = '{job_key("")}' .. job
    local answer = claim(n, worker, lease, call)
    return {{answer[1], job, tonumber(n), answer[2], answer[3], answer[4], answer[5]}}
  end
  local looked = 0
  for _, stream in ipairs({_STREAMS}) do
    local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    while first do
      local job, n = read(stream, first[1], first[2])
      if job and n then
        for i = at + 3, #ARGV do
          if ARGV[i] == job then return {{'refused', job, n}} end
        end
        base = '{job_key("")}' .. job
        local answer = claim(n, worker, lease, call, first[1])
        if answer[1] == 'ok' then
          redis.call('SET', key, call .. ' ' .. n .. ' ' .. job, 'PX', 2 * lease)
          return {{'ok', job, n, answer[2], answer[3], answer[4], answer[5]}}
        end
        if answer[1] == 'newer' then return {{'newer', job, n}} end
      end
      looked = looked + 1
      if looked == 1000 then return {{'again', '', 0}} end
      first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
    end
  end
  return {{'empty', '', 0}}
end
"""

# ARGV: chunk, worker, lease ms, a word of this call's own.
_CLAIM = "return claim(ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4])"

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
local part, state = base .. ':part:' .. ARGV[1], get('state')
for i = 3, #ARGV, 3 do
  -- Asked again because an answer was lost, it finds the result there and counts nothing.
  if redis.call('HSETNX', part, ARGV[i], ARGV[i + 1]) == 1 then count(1, cjson.decode(ARGV[i + 2]), state) end
end
return 1
"""

# ARGV: chunk, token, index. Counts an attempt at a sentence, before or after it.
_ATTEMPT = """
if not holds(ARGV[1], ARGV[2]) then return 0 end
return redis.call('HINCRBY', base .. ':tries', ARGV[1] .. ':' .. ARGV[3], 1)
"""

# ARGV: chunk, token, where ('res' or 'parts'), the results or the part; of the sentences that were not recorded before,
# how many and what they add to the counters; how many are dead, index and letter of each; then, where the worker has a
# place for another chunk, what that asks for. Ends a chunk, and takes the next. Gives 1 where the claim held, and what
# was taken. ':tree' counts the documents of finished chunks as sums over ranges (a Fenwick tree), so that a document's
# chunk is found in few steps while others are missing.
_COMPLETE = """
local function place_documents(n)
  local ends = redis.call('HMGET', base .. ':ends', n - 1, n)
  local documents = tonumber(ends[2] or 0) - tonumber(ends[1] or 0)
  local chunks, at = number('chunks'), n + 1
  while ends[2] and documents > 0 and at <= chunks do
    redis.call('HINCRBY', base .. ':tree', at, documents)
    at = at + bit.band(at, -at)
  end
end
local function bury(index, letter)
  redis.call('HSET', base .. ':dead', ARGV[1] .. ':' .. index, letter)
  died()
  redis.call('HDEL', base .. ':tries', ARGV[1] .. ':' .. index)
  local why = cjson.decode(letter)
  redis.call('HSETNX', base, 'problem', why.kind .. ': ' .. why.error)
end
local function complete(n, where)
  if not holds(n, ARGV[2]) then
    return where == 'parts' and redis.call('HGET', base .. ':parts', n) == ARGV[4] and 1 or 0
  end
  local state = get('state')
  count(ARGV[5], cjson.decode(ARGV[6]), state)
  for i = 1, tonumber(ARGV[7]) do bury(ARGV[6 + 2 * i], ARGV[7 + 2 * i]) end
  local new = redis.call('HSET', base .. ':' .. where, n, ARGV[4])
  if where == 'parts' and new == 1 then place_documents(tonumber(n)) end
  redis.call('DEL', base .. ':part:' .. n)
  redis.call('HDEL', base .. ':open', n)
  redis.call('HINCRBY', base, 'chunks_done', 1)
  if ACTIVE[state] then
    issue()
    finish()
  else
    -- A job that has ended keeps an end: what was written now must expire as well.
    for _, name in ipairs(parts()) do redis.call('EXPIRE', base .. ':' .. name, number('keep_s')) end
  end
  return 1
end
local held, at = complete(ARGV[1], ARGV[3]), 8 + 2 * tonumber(ARGV[7])
if not ARGV[at] then return {held} end
return {held, take(KEYS[2], at)}
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

SCRIPTS = {
    "take": BOOKS + STATES + CLAIM + _TAKING + "return take(KEYS[1], 1)",
    "claim": BOOKS + STATES + CLAIM + _CLAIM,
    "renew": BOOKS + _RENEW,
    "record": BOOKS + STATES + QUEUE + _RECORD,
    "attempt": BOOKS + _ATTEMPT,
    "complete": BOOKS + STATES + QUEUE + CLAIM + _TAKING + _COMPLETE,
    "release": BOOKS + STATES + QUEUE + _RELEASE,
    "break_off": BOOKS + _BREAK_OFF,
}
