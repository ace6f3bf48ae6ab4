// What a gateway does, in njs: the token and the masks.
import fs from 'fs';

import settings from 'settings.js';

// Every request has a copy of the engine of its own, so nothing is kept from one
// to the next.
async function importedKey() {
    const pem = fs.readFileSync(settings.key).toString();
    const der = Buffer.from(pem.split('\n').filter(line => line[0] !== '-').join(''), 'base64');
    return await crypto.subtle.importKey('spki', der, {name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256'}, false, ['verify']);
}

async function good(header) {
    if (!header || !header.startsWith('Bearer ')) {
        return false;
    }
    const parts = header.slice(7).split('.');
    if (parts.length !== 3) {
        return false;
    }
    if (JSON.parse(Buffer.from(parts[0], 'base64url').toString()).alg !== 'RS256') {
        return false;
    }
    const signature = Buffer.from(parts[2], 'base64url');
    const text = Buffer.from(parts[0] + '.' + parts[1]);
    const k = await importedKey();
    const verified = await crypto.subtle.verify({name: 'RSASSA-PKCS1-v1_5'}, k, signature, text);
    if (!verified) {
        return false;
    }
    const claims = JSON.parse(Buffer.from(parts[1], 'base64url').toString());
    return claims.iss === settings.issuer && claims.aud === settings.audience
        && typeof claims.exp === 'number' && claims.exp > Date.now() / 1000;
}

async function token(r) {
    let ok = false;
    try {
        ok = await good(r.headersIn.Authorization);
    } catch (e) {
        ok = false;
    }
    r.return(ok ? 204 : 401);
}

function header(r) {
    if (r.status === 200) {
        delete r.headersOut['Content-Length'];
    }
}

let text = '';

function mask(record) {
    delete record.personal.ssn;
    delete record.personal.date_of_birth;
    delete record.pay.salary;
    delete record.pay.bank.account;
    delete record.health.insurance_id;
}

function body(r, data, flags) {
    if (r.status !== 200) {
        r.sendBuffer(data, flags);
        return;
    }
    text += data;
    if (!flags.last) {
        return;
    }
    const v = JSON.parse(text);
    if (v.items) {
        v.items.forEach(mask);
    } else {
        mask(v);
    }
    r.sendBuffer(JSON.stringify(v), flags);
}

export default {token, header, body};
