/** Used at development time only: `npx drizzle-kit generate --config storage/catalog/drizzle.config.ts --name <what>`. */

import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: './storage/catalog/schema.ts',
  out: './storage/catalog/migrations',
});
