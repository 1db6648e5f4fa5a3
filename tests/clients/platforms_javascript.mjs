// The platforms' own JavaScript clients, for the calls that reach our routes: @haulmont/jmix-rest
// and @molgenis/molgenis-api-client. FILESTORE_URL is where the server is, FILESTORE_TOKEN a token.

import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import path from 'node:path';
import {test} from 'node:test';

const require = createRequire(path.join(process.cwd(), 'package.json'));
const {initializeApp} = require('@haulmont/jmix-rest');
const molgenis = require('@molgenis/molgenis-api-client/dist/molgenis-api-client.js');
const {FILESTORE_URL: url, FILESTORE_TOKEN: token} = process.env;

const jmix = initializeApp({name: 'filestore-tests', apiUrl: `${url}/rest/`});
jmix.restApiToken = token;

async function uploadToJmix(name, content) {
  const form = new FormData();
  form.append('file', new Blob([content]), name);
  const headers = {Authorization: `Bearer ${token}`};
  const answer = await fetch(jmix.getFileUploadURL(), {method: 'POST', headers, body: form});
  assert.equal(answer.status, 201);
  return answer.json();
}

test('jmix-rest reads a file by its reference as it is', async () => {
  const {fileRef} = await uploadToJmix('cat.txt', 'the content');
  const blob = await jmix.getFile(fileRef);
  assert.equal(await blob.text(), 'the content');
});

test('jmix-rest keeps entities that refer to files', async () => {
  const {fileRef} = await uploadToJmix('dog.jpg', 'an image');
  const made = await jmix.commitEntity('rstex11_Product', {name: 'Dog', image: fileRef});
  assert.ok(made.id);
  const loaded = await jmix.loadEntity('rstex11_Product', made.id);
  assert.deepEqual([loaded.name, loaded.image, loaded.price], ['Dog', fileRef, 100]);
  await jmix.commitEntity('rstex11_Product', {id: made.id, name: 'Hound'});
  assert.equal((await jmix.loadEntity('rstex11_Product', made.id)).name, 'Hound');
  await jmix.deleteEntity('rstex11_Product', made.id);
  await assert.rejects(jmix.loadEntity('rstex11_Product', made.id));
});

test('jmix-rest forgets a token that is refused', async () => {
  const other = initializeApp({name: 'refused', apiUrl: `${url}/rest/`});
  other.restApiToken = 'no token';
  let expired = 0;
  other.onTokenExpiry(() => { expired += 1; });
  await assert.rejects(other.loadEntity('rstex11_Product', '1'));
  assert.equal(expired, 1);
});

test('molgenis-api-client uploads, reads and deletes', async () => {
  const headers = {'x-molgenis-token': token, 'x-molgenis-filename': 'logo.png', 'Content-Type': 'image/png'};
  const made = await molgenis.post(`${url}/api/files`, {headers, body: 'an image'});
  assert.deepEqual([made.filename, made.contentType, made.size], ['logo.png', 'image/png', 8]);
  const auth = {headers: {'x-molgenis-token': token}};
  assert.deepEqual(await molgenis.get(`${url}/api/files/${made.id}`, auth), made);
  const media = await molgenis.get(`${url}/api/files/${made.id}?alt=media`, auth);
  assert.equal(await media.text(), 'an image');
  await molgenis.delete_(`${url}/api/files/${made.id}`, auth);
  await assert.rejects(molgenis.get(`${url}/api/files/${made.id}`, auth), ({status}) => status === 404);
});

test('molgenis-api-client is told that forms are not taken', async () => {
  const form = new FormData();
  form.append('file', new Blob(['x']), 'x');
  const refused = fetch(`${url}/api/files`, {method: 'POST', headers: {'x-molgenis-token': token}, body: form});
  assert.equal((await refused).status, 415);
});
