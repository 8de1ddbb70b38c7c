// node-pg: unnamed statements by default, named ones on request, transactions, errors, notifications.
const { Client } = require('pg')
const assert = require('assert')
const fs = require('fs')

const words = 'Grüße, мир, 😀'
const long = 'long '.repeat(50000)
const sessionMode = process.env.E2E_MODE === 'session'
const prepared = sessionMode || 'E2E_PREPARED' in process.env
let checks = 0

function same (found, expected) {
  checks += 1
  assert.deepStrictEqual(found, expected)
}

async function main () {
  const ssl = process.env.PGSSLMODE !== 'disable' && { ca: fs.readFileSync(process.env.PGSSLROOTCERT) }
  const client = new Client({ ssl })
  await client.connect()
  same((await client.query('select $1::int + 1 as n', [41])).rows, [{ n: 42 }])
  same((await client.query('select $1::text as a, $2::text as b', [words, null])).rows, [{ a: words, b: null }])
  same((await client.query('select $1::text as a', [long])).rows[0].a.length, long.length)
  same((await client.query('select 1 as a; select 2 as b')).map(r => r.rows[0]), [{ a: 1 }, { b: 2 }])

  await client.query('begin')
  await client.query('create temp table t (a int primary key, b text) on commit drop')
  for (let i = 0; i < 50; i++) await client.query('insert into t values ($1, $2)', [i, `row ${i}`])
  same((await client.query('select count(*)::int as n from t')).rows, [{ n: 50 }])
  await client.query('savepoint s')
  await assert.rejects(client.query('insert into t values ($1, $2)', [1, 'again']), { code: '23505' })
  await assert.rejects(client.query('select 1'), { code: '25P02' })
  await client.query('rollback to savepoint s')
  await client.query('commit')

  await assert.rejects(client.query('select 1 / $1::int', [0]), { code: '22012' })
  await assert.rejects(client.query('not sql'), { code: '42601' })
  same((await client.query('select 7 as n')).rows, [{ n: 7 }])
  const answers = await Promise.all([1, 2, 3].map(n => client.query('select $1::int as n', [n])))
  same(answers.map(r => r.rows[0].n), [1, 2, 3])

  if (prepared) {
    for (const n of [1, 2, 3]) {
      same((await client.query({ name: 'twice', text: 'select $1::int * 2 as n', values: [n] })).rows, [{ n: n * 2 }])
      const byZero = { name: 'zero', text: 'select 1 / $1::int as n', values: [0] }
      await assert.rejects(client.query(byZero), { code: '22012' })
      await assert.rejects(client.query({ name: 'bad', text: 'not sql' }), { code: '42601' })
      const own = { name: 'own', text: `select $1::int + ${process.pid} as n`, values: [n] }
      same((await client.query(own)).rows, [{ n: n + process.pid }])
    }
  }
  if (sessionMode) {
    const heard = new Promise(resolve => client.on('notification', m => resolve(m.payload)))
    await client.query('listen channel')
    await client.query("notify channel, 'hello'")
    same(await heard, 'hello')
  }
  await client.end()
  console.log(`ok ${checks}`)
}

main().catch(problem => { console.error(problem); process.exit(1) })
