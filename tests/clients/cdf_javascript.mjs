// Every file operation of the official JavaScript SDK of Cognite CDF (@cognite/sdk 10.5.0),
// against a running server: FILESTORE_URL, FILESTORE_TOKEN, FILESTORE_TENANT. Run by `node --test`
// in a folder where the package is installed.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

// The package lives where the tests are run, not beside this file.
const require = createRequire(pathToFileURL(`${process.cwd()}/`));
const { CogniteClient } = require('@cognite/sdk');

const client = new CogniteClient({
  appId: 'filestore-tests',
  project: process.env.FILESTORE_TENANT ?? 'default',
  baseUrl: process.env.FILESTORE_URL,
  oidcTokenProvider: async () => process.env.FILESTORE_TOKEN,
});
await client.authenticate();
const { files } = client;

async function content(id) {
  const [{ downloadUrl }] = await files.getDownloadUrls([id]);
  const answer = await fetch(downloadUrl);
  assert.equal(answer.status, 200);
  return Buffer.from(await answer.arrayBuffer()).toString();
}

test('uploads', async () => {
  const externalId = randomUUID();
  const sourceCreatedTime = new Date(1000);
  const made = await files.upload(
    {
      name: 'a.txt',
      externalId,
      mimeType: 'text/plain',
      directory: '/a',
      metadata: { k: 'v' },
      assetIds: [1],
      labels: [{ externalId: 'label' }],
      sourceCreatedTime,
      geoLocation: { type: 'Feature', geometry: { type: 'Point', coordinates: [1, 2] } },
    },
    'text',
    false,
    true,
  );
  assert.ok(made.createdTime instanceof Date);
  const [found] = await files.retrieve([{ id: made.id }]);
  assert.equal(found.uploaded, true);
  assert.deepEqual(found.sourceCreatedTime, sourceCreatedTime);
  assert.equal(await content({ externalId }), 'text');

  await assert.rejects(files.upload({ name: 'b', externalId }), { status: 409 });
  const again = await files.upload({ name: 'b', externalId }, Buffer.from('other'), true);
  assert.equal(again.id, made.id);
  assert.equal(await content({ id: made.id }), 'other');
});

test('uploads in parts', async () => {
  const session = await files.multipartUploadSession({ name: 'parts' }, 3);
  await Promise.all([2, 0, 1].map(part => session.uploadPart(part, Buffer.from(`<${part}>`))));
  const id = session.multiPartFileUploadResponse.id;
  assert.equal(await content({ id }), '<0><1><2>');
});

test('names', async () => {
  const [one, two] = await Promise.all(
    ['one', 'two'].map(name => files.upload({ name, externalId: randomUUID() })),
  );
  const wanted = [{ id: two.id }, { externalId: one.externalId }];
  const found = await files.retrieve(wanted);
  assert.deepEqual(found.map(it => it.name), ['two', 'one']);
  const unknown = { externalId: randomUUID() };
  const some = await files.retrieve([unknown, ...wanted], { ignoreUnknownIds: true });
  assert.equal(some.length, 2);
  await assert.rejects(files.retrieve([unknown]), error => {
    assert.equal(error.status, 400);
    assert.deepEqual(error.missing, [unknown]);
    assert.ok(error.requestId);
    return true;
  });
  await assert.rejects(files.getDownloadUrls([{ id: one.id }]), /Files not uploaded/);
  assert.deepEqual(await files.delete(wanted), {});
  await assert.rejects(files.delete(wanted), { status: 400 });
});

test('lists, search and counts', async () => {
  const source = randomUUID();
  const names = ['Pump 1.pdf', 'Pump 2.pdf', 'Valve.pdf'];
  for (const name of names) await files.upload({ name, source, metadata: { name } });
  const filter = { source };
  assert.equal((await files.list({ filter }).autoPagingToArray({ limit: Infinity })).length, 3);
  const page = await files.list({ filter, limit: 2 });
  assert.equal(page.items.length, 2);
  assert.ok(page.nextCursor);
  const rest = await page.next();
  assert.equal(rest.items.length, 1);
  assert.ok((await files.list()).items.length > 0);
  const found = await files.search({ search: { name: 'pump' }, filter });
  assert.deepEqual(found.map(it => it.name), names.slice(0, 2));
  assert.equal((await files.aggregate({ filter }))[0].count, 3);
});

test('updates', async () => {
  const { id } = await files.upload({
    name: 'a',
    source: 's',
    labels: [{ externalId: 'one' }],
    geoLocation: { type: 'Feature', geometry: { type: 'Point', coordinates: [1, 2] } },
  });
  const time = new Date(123456);
  const [changed] = await files.update([
    {
      id,
      update: {
        source: { setNull: true },
        mimeType: { set: 'text/csv' },
        sourceModifiedTime: { set: time },
        labels: { add: [{ externalId: 'two' }], remove: [{ externalId: 'one' }] },
        metadata: { add: { k: 'v' }, remove: [] },
      },
    },
  ]);
  assert.equal(changed.source, undefined);
  assert.deepEqual(changed.sourceModifiedTime, time);
  assert.deepEqual(changed.labels, [{ externalId: 'two' }]);
  const [bare] = await files.update([
    { id, update: { labels: { remove: [{ externalId: 'two' }] }, geoLocation: { setNull: true } } },
  ]);
  assert.equal(bare.labels, undefined);
  assert.equal(bare.geoLocation, undefined);
});
