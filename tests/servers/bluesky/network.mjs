// network.mjs INSTALLED STATE: run PostgreSQL, Redis and the Bluesky network (PLC, PDS, AppView) on 127.0.0.1.
//
// Everything lives in the empty folder STATE, on ports that were free; STATE/ready.json says where, once all
// answers. Ends on SIGTERM and when its standard input closes, so that it never outlives who started it.
// `POST /settle` to the control address answers when the AppView has taken in all that the PDS knows.
import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import net from 'node:net'
import path from 'node:path'

const LOOPBACK = '127.0.0.1'
const [installed, state] = process.argv.slice(2).map((folder) => path.resolve(folder))
const children = []
let network
let ending

process.on('SIGTERM', () => end(0))
process.on('SIGINT', () => end(0))
process.stdin.on('end', () => end(0)).resume()
// SIGQUIT ends PostgreSQL at once, with its helpers.
process.on('exit', () => children.forEach((child) => child.kill(child.lastSignal)))
process.on('uncaughtException', (error) => { console.error(error); end(1) })

stayOnLoopback()
try {
  const [postgresPort, redisPort, plc, pds, bsky, ozone] = await freePorts(6)
  await Promise.all([startPostgres(postgresPort), startRedis(redisPort)])
  const tmp = path.join(state, 'tmp')
  fs.mkdirSync(tmp)
  Object.assign(process.env, { TMPDIR: tmp, LOG_ENABLED: 'false', REDIS_HOST: `${LOOPBACK}:${redisPort}` })
  const require = createRequire(path.join(installed, 'package.json'))
  const { TestNetwork } = await import(require.resolve('@atproto/dev-env'))
  network = await TestNetwork.create({
    dbPostgresUrl: `postgresql://tests@${LOOPBACK}:${postgresPort}/postgres`,
    dbPostgresSchema: 'tests',
    plc: { port: plc },
    pds: { port: pds, hostname: 'localhost' },
    bsky: { port: bsky, publicUrl: `http://localhost:${bsky}` },
    ozone: { port: ozone },
  })
  const control = await listening(http.createServer(answerControl))
  const urls = { pds, appview: bsky, control: control.address().port }
  for (const name in urls) urls[name] = `http://${LOOPBACK}:${urls[name]}`
  fs.writeFileSync(path.join(state, 'ready.new'), JSON.stringify(urls))
  fs.renameSync(path.join(state, 'ready.new'), path.join(state, 'ready.json'))
} catch (error) {
  console.error(error)
  await end(1)
}

/** The development network binds every interface and may ask the outside: here it does neither. */
function stayOnLoopback() {
  const listen = net.Server.prototype.listen
  net.Server.prototype.listen = function (...args) {
    const done = args.find((argument) => typeof argument === 'function')
    const wanted = typeof args[0] === 'object' ? args[0] : { port: Number(args[0] ?? 0) }
    return listen.call(this, wanted.path ? wanted : { ...wanted, host: LOOPBACK }, done)
  }
  const connect = net.Socket.prototype.connect
  net.Socket.prototype.connect = function (...args) {
    // Node itself passes its normalised arguments as one array.
    const [first, second] = Array.isArray(args[0]) ? args[0] : args
    const host = typeof first === 'object' ? first.host : typeof second === 'string' ? second : undefined
    const inside = host === undefined || /^(localhost|127\.\d+\.\d+\.\d+|::1)$/.test(host)
    if (inside) return connect.apply(this, args)
    process.nextTick(() => this.destroy(new Error('the network for tests does not leave this machine')))
    return this
  }
}

function listening(server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(0, LOOPBACK, () => resolve(server))
  })
}

/** Ports that nobody used a moment ago: all are held at once, so that no two are the same. */
async function freePorts(count) {
  const held = await Promise.all(Array.from({ length: count }, () => listening(net.createServer())))
  const ports = held.map((server) => server.address().port)
  await Promise.all(held.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

async function startPostgres(port) {
  const bin = postgresFolder()
  const data = path.join(state, 'postgres')
  fs.mkdirSync(data, { mode: 0o700 })
  // PostgreSQL refuses to run as root: then it runs as nobody, who must own the folder and reach it.
  const owner = process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {}
  if (owner.uid) fs.chownSync(data, owner.uid, owner.gid)
  const options = { cwd: '/', ...owner }
  const init = spawnSync(
    path.join(bin, 'initdb'),
    ['-D', data, '-U', 'tests', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'],
    { ...options, encoding: 'utf8' },
  )
  if (init.status !== 0) throw new Error(`initdb failed: ${init.error ?? init.stderr}`)
  const settings = {
    listen_addresses: LOOPBACK, port, unix_socket_directories: '', max_connections: 200,
    fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off',
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const postgres = child(path.join(bin, 'postgres'), ['-D', data, ...flags], options, 'SIGQUIT')
  const asked = ['-h', LOOPBACK, '-p', String(port), '-U', 'tests', '-d', 'postgres']
  await until('PostgreSQL', postgres, () => spawnSync(path.join(bin, 'pg_isready'), asked).status === 0)
}

/** Debian keeps the server's programs off the path, in one folder for each version. */
function postgresFolder() {
  const folders = (process.env.PATH ?? '').split(':')
  const root = '/usr/lib/postgresql'
  const versions = fs.existsSync(root) ? fs.readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  folders.push(...versions.map((version) => path.join(root, version, 'bin')))
  const initdb = folders.map((folder) => path.join(folder, 'initdb')).find((file) => fs.existsSync(file))
  if (!initdb) throw new Error('PostgreSQL is not installed: run install.sh')
  return path.dirname(fs.realpathSync(initdb))  // what is on the path may be a link to one program of many
}

async function startRedis(port) {
  const flags = ['--port', String(port), '--bind', LOOPBACK, '--save', '', '--appendonly', 'no', '--dir', state]
  const redis = child('redis-server', flags, {}, 'SIGTERM')
  const answers = () => new Promise((resolve) => {
    const socket = net.connect(port, LOOPBACK)
    socket.once('connect', () => { socket.destroy(); resolve(true) }).once('error', () => resolve(false))
  })
  await until('Redis', redis, answers)
}

function child(command, args, options, lastSignal) {
  const started = spawn(command, args, { ...options, stdio: ['ignore', 'inherit', 'inherit'] })
  started.lastSignal = lastSignal
  started.once('error', (error) => { console.error(`${command}: ${error.message}`); started.failed = true })
  started.once('exit', () => { if (!ending) { console.error(`${command} ended by itself`); started.failed = true } })
  children.push(started)
  return started
}

async function until(name, started, ready) {
  for (const deadline = Date.now() + 60_000; !(await ready()); ) {
    if (started.failed || Date.now() > deadline) throw new Error(`${name} did not start`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function answerControl(request, response) {
  const done = (status, text) => { response.statusCode = status; response.end(text) }
  if (request.method !== 'POST' || request.url !== '/settle') return done(404, 'only POST /settle')
  network.processAll(60_000).then(() => done(200, ''), (error) => done(500, String(error)))
}

function end(status) {
  // What is kept here is thrown away with the folder: nobody waits for it to be written out in order.
  ending ??= Promise.race([
    network?.close().catch((error) => console.error(error)),
    new Promise((resolve) => setTimeout(resolve, network ? 10_000 : 0)),
  ]).then(() => process.exit(status))
  return ending
}
