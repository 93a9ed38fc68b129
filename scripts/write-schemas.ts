// Writes config/schema/*.json from the schemas in the code: `npm run schema`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { jsonSchemas } from '../src/core/config/json-schema.ts';

const directory = new URL('../config/schema/', import.meta.url);
mkdirSync(directory, { recursive: true });
for (const [name, content] of Object.entries(jsonSchemas())) {
  writeFileSync(new URL(name, directory), content);
  console.log(`config/schema/${name}: ${content.length} characters`);
}
