// node tus.mjs MODULES PORT FOLDER
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, port, directory] = process.argv.slice(2);
const { resolve } = createRequire(pathToFileURL(`${modules}/`));
const { Server } = await import(pathToFileURL(resolve("@tus/server")));
const { FileStore } = await import(pathToFileURL(resolve("@tus/file-store")));

new Server({ path: "/files", datastore: new FileStore({ directory }) }).listen({
  host: "127.0.0.1",
  port: Number(port),
});
