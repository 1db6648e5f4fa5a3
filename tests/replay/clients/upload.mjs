// What a program on Node sends with fetch: forms, bodies of known size, and streams.
// Arguments: the server's URL and a token. Prints what worked as JSON.
import assert from "node:assert/strict";

const [url, token] = process.argv.slice(2);
const authorization = { authorization: `Bearer ${token}` };
const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31) % 251);
const name = "naïve 猫.png";

function form() {
  const form = new FormData();
  form.append("comment", "not the file");
  form.append("file", new File([bytes], name, { type: "image/png" }));
  return form;
}

async function bytesOf(path, headers = authorization) {
  const answer = await fetch(url + path, { headers });
  assert.equal(answer.status, 200);
  return new Uint8Array(await answer.arrayBuffer());
}

async function jea() {
  const answer = await fetch(`${url}/jea_web/api/upload`, {
    method: "POST",
    headers: authorization,
    body: form(),
  });
  assert.equal(answer.status, 200);
  const info = await answer.json();
  assert.deepEqual(await bytesOf(`/jea_web/api/download/${info.fileHandle}`), bytes);
}

async function molgenis() {
  const file = new File([bytes], "logo.png", { type: "image/png" });
  const answer = await fetch(`${url}/api/files`, {
    method: "POST",
    headers: { "x-molgenis-token": token, "x-molgenis-filename": file.name },
    body: file,
  });
  assert.equal(answer.status, 201);
  const meta = await answer.json();
  assert.deepEqual(
    { ...meta, id: "" },
    { id: "", filename: "logo.png", contentType: "image/png", size: bytes.length },
  );
  assert.deepEqual(await bytesOf(`/api/files/${meta.id}?alt=media`), bytes);
}

async function jmix() {
  const answer = await fetch(`${url}/rest/files`, {
    method: "POST",
    headers: authorization,
    body: form(),
  });
  assert.equal(answer.status, 201);
  const info = await answer.json();
  assert.equal(info.name, name);
  assert.deepEqual(
    await bytesOf(`/rest/files?fileRef=${encodeURIComponent(info.fileRef)}`),
    bytes,
  );
}

async function stream() {
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 4096) {
        controller.enqueue(bytes.slice(at, at + 4096));
      }
      controller.close();
    },
  });
  const answer = await fetch(`${url}/rest/files?name=streamed.bin`, {
    method: "POST",
    headers: authorization,
    body,
    duplex: "half",
  });
  assert.equal(answer.status, 201);
  assert.equal((await answer.json()).size, bytes.length);
}

const worked = {};
for (const each of [jea, molgenis, jmix, stream]) {
  await each();
  worked[each.name] = true;
}
console.log(JSON.stringify(worked));
