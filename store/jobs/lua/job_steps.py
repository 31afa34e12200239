"""The steps of a whole job: chunks that nobody holds are sent again; it is cancelled, failed, replayed."""

from __future__ import annotations

from medner.store.jobs.keys import ACTIVE_JOBS
from medner.store.jobs.lua.prelude import BOOKS, QUEUE, STATES

# ARGV: job, back-off ms after a lost worker. Sends chunks again whose holder was lost, whose time has come, or whose
# message is gone; gives how many.
_SWEEP = f"""
local state = get('state')
if not state then redis.call('SREM', '{ACTIVE_JOBS}', ARGV[1]) end
if not ACTIVE[state] then return 0 end
local sent = 0
local raw = redis.call('HGETALL', base .. ':open')
for i = 1, #raw, 2 do
  local n, entry = tonumber(raw[i]), cjson.decode(raw[i + 1])
  if entry.s == 'claimed' and entry.l <= now then
    entry.a = entry.a + 1
    entry.t, entry.w, entry.l = nil, nil, nil
    entry.s, entry.d = 'waiting', now + ARGV[2] * (entry.a - 1)
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

# ARGV: where the results are ('res' or 'parts'), the number of a document from 1 on. Gives the chunk in which that
# document ends, of those that can be read, and how many documents end before it; one past the last chunk where there
# are fewer; nothing for a job without these numbers.
_SEEK = """
local chunks, wanted = number('chunks'), tonumber(ARGV[2])
if redis.call('EXISTS', base .. ':ends') == 0 then return {} end
local at, before = 0, 0
if ARGV[1] == 'parts' then
  local step = 1
  while 2 * step <= chunks do step = 2 * step end
  while step >= 1 do
    if at + step <= chunks then
      local there = tonumber(redis.call('HGET', base .. ':tree', at + step) or '0')
      if before + there < wanted then at, before = at + step, before + there end
    end
    step = math.floor(step / 2)
  end
  return {at, before}
end
local function ends(n) return n < 0 and 0 or tonumber(redis.call('HGET', base .. ':ends', n) or '0') end
local past = chunks
while at < past do
  local middle = math.floor((at + past) / 2)
  if ends(middle) >= wanted then past = middle else at = middle + 1 end
end
return {at, ends(at - 1)}
"""

SCRIPTS = {
    "sweep": BOOKS + STATES + QUEUE + _SWEEP,
    "cancel": BOOKS + STATES + _CANCEL,
    "fail": BOOKS + STATES + _FAIL,
    "replay": BOOKS + STATES + QUEUE + _REPLAY,
    "seek": BOOKS + _SEEK,
}
