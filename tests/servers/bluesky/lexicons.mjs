// lexicons.mjs INSTALLED OUT: write the official lexicons that the installed network speaks, one file each.
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'

const [installed, out] = process.argv.slice(2)
const require = createRequire(path.join(path.resolve(installed), 'package.json'))
const { schemas } = await import(require.resolve('@atproto/api'))
// The package writes references as addresses; the published documents do not.
const published = (_, value) => (typeof value === 'string' ? value.replace(/^lex:/, '') : value)
for (const schema of schemas) {
  const file = path.join(out, ...schema.id.split('.')) + '.json'
  fs.mkdirSync(path.dirname(file), { recursive: true })
  fs.writeFileSync(file, JSON.stringify(schema, published, 2) + '\n')
}
