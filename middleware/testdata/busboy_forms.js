// What busboy makes of bodies: one JSON object a line, each way.
'use strict';
const busboy = require('busboy');
const readline = require('readline');

function parse({ type, body }) {
  return new Promise((resolve) => {
    const out = { texts: [], files: [] };
    let parser;
    try {
      parser = busboy({ headers: { 'content-type': type }, defParamCharset: 'utf8', preservePath: true, limits: { fieldNameSize: 1000 } });
    } catch (e) {
      return resolve({ error: String(e) });
    }
    parser.on('field', (name, value, info) => {
      if (info.nameTruncated || info.valueTruncated) out.error = 'truncated';
      out.texts.push({ name, content: Buffer.from(value).toString('base64') });
    });
    parser.on('file', (name, stream, info) => {
      const file = { name, file: info.filename === undefined ? '' : info.filename, type: info.mimeType };
      const chunks = [];
      out.files.push(file);
      stream.on('data', (c) => chunks.push(c));
      stream.on('end', () => { file.content = Buffer.concat(chunks).toString('base64'); });
      stream.on('error', () => {});
    });
    parser.on('error', (e) => resolve({ error: String(e) }));
    parser.on('close', () => resolve(out));
    parser.end(Buffer.from(body, 'base64'));
  });
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await parse(JSON.parse(line))) + '\n');
  }
})();
