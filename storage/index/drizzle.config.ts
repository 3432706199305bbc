/** Used at development time only: `npx drizzle-kit generate --custom --config storage/index/drizzle.config.ts --name <what>`. */

import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'sqlite',
  schema: './storage/index/schema.ts',
  out: './storage/index/migrations',
});
