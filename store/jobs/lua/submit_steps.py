"""The steps of a submit: a job is entered, gets its chunks, and is sealed."""

from __future__ import annotations

from medner.store.jobs.keys import INDEX, STATE_INDEX
from medner.store.jobs.lua.index_steps import NAMED
from medner.store.jobs.lua.prelude import BOOKS, QUEUE, STATES

# Enters a job into the indexes of all jobs.
_REGISTER = f"""
local id = get('id')
redis.call('ZADD', '{INDEX}', number('submitted') / 1000, id)
redis.call('ZADD', '{STATE_INDEX}' .. get('state'), 'inf', id)
name_job(id, get('name'))
return 'ok'
"""

# ARGV: submitter, lease ms, number of the first chunk, then sentences, documents and payload ('' where a folder has it)
# of each chunk. Sent again because an answer was lost, it adds nothing.
_ADD = """
local facts = redis.call('HMGET', base, 'state', 'submitter', 'chunks', 'sentences', 'documents')
if facts[1] ~= 'submitting' then return facts[1] or 'gone' end
if facts[2] ~= ARGV[1] then return 'taken over' end
local chunks, sentences, documents = tonumber(facts[3] or 0), tonumber(facts[4] or 0), tonumber(facts[5] or 0)
local n = tonumber(ARGV[3])
for i = 4, #ARGV, 3 do
  if n == chunks then
    chunks, sentences, documents = chunks + 1, sentences + ARGV[i], documents + ARGV[i + 1]
    if ARGV[i + 2] ~= '' then redis.call('HSET', base .. ':in', n, ARGV[i + 2]) end
    redis.call('HSET', base .. ':ends', n, documents)
  end
  n = n + 1
end
redis.call('HSET', base, 'chunks', chunks, 'sentences', sentences, 'documents', documents,
  'submit_until', now + ARGV[2])
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

# On a submitter's key. ARGV: job. Takes the key away if it still leads to that job.
_FORGET = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

SCRIPTS = {
    "register": BOOKS + NAMED + _REGISTER,
    "add": BOOKS + _ADD,
    "seal": BOOKS + STATES + QUEUE + _SEAL,
    "forget": _FORGET,
}
