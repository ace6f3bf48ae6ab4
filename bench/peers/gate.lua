-- What a gateway does, in Lua: the token, the policy's decision, the masks.
local ffi = require "ffi"
local cjson = require "cjson.safe"

ffi.cdef [[
typedef struct bio_st BIO; typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_md_ctx_st EVP_MD_CTX; typedef struct evp_md_st EVP_MD;
BIO *BIO_new_mem_buf(const void *buf, int len); int BIO_free(BIO *a);
EVP_PKEY *PEM_read_bio_PUBKEY(BIO *bp, EVP_PKEY **x, void *cb, void *u);
EVP_MD_CTX *EVP_MD_CTX_new(void); void EVP_MD_CTX_free(EVP_MD_CTX *ctx); int EVP_MD_CTX_reset(EVP_MD_CTX *ctx);
const EVP_MD *EVP_sha256(void);
int EVP_DigestVerifyInit(EVP_MD_CTX *ctx, void **pctx, const EVP_MD *type, void *e, EVP_PKEY *pkey);
int EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen, const unsigned char *tbs, size_t tbslen);
void ERR_clear_error(void);
]]
local C = ffi.C

local Gate = {}
Gate.__index = Gate

local function new(settings)
  local f = assert(io.open(settings.key, "rb"))
  local pem = f:read("*a")
  f:close()
  local bio = C.BIO_new_mem_buf(pem, #pem)
  local key = C.PEM_read_bio_PUBKEY(bio, nil, nil, nil)
  C.BIO_free(bio)
  assert(key ~= nil, "no public key")
  settings.pkey, settings.ctx = key, C.EVP_MD_CTX_new()
  return setmetatable(settings, Gate)
end

local function b64url(s)
  s = s:gsub("-", "+"):gsub("_", "/")
  local rest = #s % 4
  if rest > 0 then s = s .. ("="):rep(4 - rest) end
  return ngx.decode_base64(s)
end

-- verify gives the claims of a token that is good.
function Gate:verify(token)
  local head, body, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not head then return nil end
  local header = cjson.decode(b64url(head) or "")
  if type(header) ~= "table" or header.alg ~= "RS256" then return nil end
  local sig = b64url(signature)
  if not sig then return nil end
  local text = head .. "." .. body
  C.EVP_MD_CTX_reset(self.ctx)
  if C.EVP_DigestVerifyInit(self.ctx, nil, C.EVP_sha256(), nil, self.pkey) ~= 1
    or C.EVP_DigestVerify(self.ctx, sig, #sig, text, #text) ~= 1 then
    C.ERR_clear_error()
    return nil
  end
  local claims = cjson.decode(b64url(body) or "")
  if type(claims) ~= "table" or claims.iss ~= self.issuer or claims.aud ~= self.audience then return nil end
  if type(claims.exp) ~= "number" or claims.exp < ngx.time() then return nil end
  return claims
end

-- masks are compiled once for each path that a policy has given.
local compiled = {}

local function compile(path)
  local out = {}
  for name in path:gsub("^%$%.", ""):gmatch("[^.]+") do
    local list = name:match("^(.*)%[%*%]$")
    out[#out + 1] = {name = list or name, list = list ~= nil}
  end
  compiled[path] = out
  return out
end

local function drop(value, path, at)
  local part = path[at]
  if type(value) ~= "table" then return end
  if part.list then
    local items = value[part.name]
    if type(items) == "table" then
      for i = 1, #items do drop(items[i], path, at + 1) end
    end
  elseif at == #path then
    value[part.name] = nil
  else
    drop(value[part.name], path, at + 1)
  end
end

local function fixed(prefix)
  local out = {}
  for _, field in ipairs {"personal.ssn", "personal.date_of_birth", "pay.salary", "pay.bank.account", "health.insurance_id"} do
    out[#out + 1] = {path = prefix .. field, action = "drop"}
  end
  return out
end
local ofRecord, ofList = fixed("$."), fixed("$.items[*].")

-- decide asks the OPA server.
local function decide(claims, uri)
  local route = "files"
  if uri:sub(1, 11) == "/employees/" then route = "employees" elseif uri:sub(1, 9) == "/limited/" then route = "documents" end
  local answer = ngx.location.capture("/-/opa", {method = ngx.HTTP_POST, body = cjson.encode {input = {
    subject = {id = claims.sub, role = claims.role, tenant = claims.tenant, branch = claims.branch, amr = claims.amr},
    action = {method = ngx.req.get_method()},
    resource = {route = route, path = uri, host = ngx.var.host},
    context = {client_address = ngx.var.remote_addr},
  }}})
  if answer.status ~= 200 then return nil end
  local decision = cjson.decode(answer.body)
  return decision and decision.result
end

function Gate:access()
  local ctx, claims = ngx.ctx, nil
  if self.jwt then
    local token = (ngx.var.http_authorization or ""):match("^Bearer (.+)$")
    claims = token and self:verify(token)
    if not claims then return ngx.exit(401) end
    ngx.req.clear_header("Authorization")
  end
  if self.chain then
    ngx.var.gate_subject, ngx.var.gate_role = claims.sub, claims.role
  end
  if self.policy then
    ngx.req.read_body() -- or the subrequest would read it
    local decision = decide(claims, ngx.var.uri)
    if not decision or decision.allow ~= true or #(decision.deny or {}) > 0 then return ngx.exit(403) end
    if self.mask and #decision.mask > 0 then ctx.masks = decision.mask end
  elseif self.mask then
    ctx.masks = ngx.var.uri:sub(-1) == "/" and ofList or ofRecord
  end
end

function Gate:header()
  if ngx.ctx.masks and ngx.status == 200 then
    ngx.header.content_length = nil
    ngx.ctx.chunks = {}
  end
end

function Gate:body()
  local ctx = ngx.ctx
  local chunks = ctx.chunks
  if not chunks then return end
  chunks[#chunks + 1] = ngx.arg[1]
  if not ngx.arg[2] then
    ngx.arg[1] = nil
    return
  end
  local value = cjson.decode(table.concat(chunks))
  if type(value) ~= "table" then
    ngx.arg[1] = nil -- nothing is better than what is not masked
    return
  end
  for _, entry in ipairs(ctx.masks) do
    drop(value, compiled[entry.path] or compile(entry.path), 1)
  end
  ngx.arg[1] = cjson.encode(value)
end

return {new = new}
