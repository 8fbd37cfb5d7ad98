-- What no honest S3 client sends ends here: the object store takes some of it without a signature, or lets whoever
-- may write damage what others read. `http-request lua.s3_edge` sets txn.s3_edge to "pass" or to the reason.
-- It compares what the store itself reads: keys and paths decoded, names in any case.

local SIGNATURE_PARTS = {
  ["x-amz-algorithm"] = "X-Amz-Algorithm",
  ["x-amz-credential"] = "X-Amz-Credential",
  ["x-amz-date"] = "X-Amz-Date",
  ["x-amz-expires"] = "X-Amz-Expires",
  ["x-amz-signedheaders"] = "X-Amz-SignedHeaders",
  ["x-amz-signature"] = "X-Amz-Signature",
}
-- Version 2, in which boto3 and awscli still presign by default. It covers all x-amz- headers, but of the query only
-- some keys, of which these are let through.
local OLD_SIGNATURE_PARTS = {
  ["awsaccesskeyid"] = "AWSAccessKeyId",
  ["expires"] = "Expires",
  ["signature"] = "Signature",
}
local OLD_COVERED = {
  "partNumber", "uploadId", "uploads", "versionId", "response-cache-control", "response-content-disposition",
  "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
}
-- S3 Select, object lambda, and the token service.
local REFUSED_KEYS = {
  ["select"] = "S3 Select",
  ["select-type"] = "S3 Select",
  ["lambdaarn"] = "object lambda",
  ["action"] = "the token service",
}
-- What a POST does, named by its query; everything else that comes by POST is a form.
local POST_KEYS = { delete = true, uploads = true, uploadId = true, restore = true }

local function begins(text, prefix) return text:sub(1, #prefix) == prefix end

-- Why nobody may name this header, query parameter or form field; nil for all others. Lower case.
local function forbidden(name)
  if begins(name, "x-minio-") then return "the store's own headers" end
  if begins(name, "x-amz-meta-snowball") or begins(name, "x-amz-meta-minio-snowball") then
    return "archives that the store unpacks"
  end
  if begins(name, "x-amz-server-side-encryption-customer-")
    or begins(name, "x-amz-copy-source-server-side-encryption-customer-") then
    return "encryption with a key of the client's"
  end
  if name == "x-amz-replication-status" then return "the store's own headers" end
end

-- Percent-decoded; nil when an escape is broken.
local function decoded(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then return nil end
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The query as key → {values}, keys as they are; nil when it is broken.
local function parameters(query)
  local found = {}
  for pair in query:gmatch("[^&]+") do
    local key, value = pair:match("^([^=]*)=?(.*)$")
    key, value = decoded((key:gsub("%+", " "))), decoded((value:gsub("%+", " ")))
    if not key or not value or pair:find(";", 1, true) then return nil end
    found[key] = found[key] or {}
    table.insert(found[key], value)
  end
  return found
end

-- The first segment of the path that counts, however it is written: encoded, even twice, doubled slashes,
-- backslashes, dots.
local function first_segment(path)
  for _ = 1, 4 do path = decoded(path) or path end
  local segments = {}
  for segment in path:gmatch("[^/\\]+") do
    if segment == ".." then
      table.remove(segments)
    elseif segment ~= "." then
      table.insert(segments, segment)
    end
  end
  return (segments[1] or ""):lower(), #segments
end

-- The names of `list`, which ";" parts, as a set.
local function names(list)
  local found = {}
  for name in list:gmatch("[^;]+") do found[name:lower()] = true end
  return found
end

-- The headers that an Authorization header of version 4 signs; nil when it is none. The store drops the spaces.
local function signed_by_header(authorization)
  local list = authorization:gsub(" ", "")
    :match("^AWS4%-HMAC%-SHA256Credential=[^,]+,SignedHeaders=([^,=]+),Signature=%x+$")
  return list and names(list)
end

-- The parts of a presigned query by their lower-case names; or why it is none. `wanted`: those of its version.
local function presigned(query, wanted)
  local parts, count = {}, 0
  for key, values in pairs(query) do
    local name = wanted[key:lower()]
    if name then
      if name ~= key or #values > 1 then return nil, "a part of the signature in another spelling or twice" end
      parts[key:lower()] = values[1]
      count = count + 1
    end
  end
  if count == 0 then return nil, nil end
  for part in pairs(wanted) do
    if not parts[part] then return nil, "a presigned query that is not whole" end
  end
  return parts
end

-- Why a query that version 2 presigns is refused: the store must read nothing that the signature does not cover.
local function old_fault(query, headers)
  for key, values in pairs(query) do
    local name, value = key:lower(), values[1]
    if not OLD_SIGNATURE_PARTS[name] then
      local covered = begins(name, "x-amz-") and headers[name] and headers[name][1] == value
      for _, known in ipairs(OLD_COVERED) do covered = covered or key == known end
      if not covered or #values > 1 or value:find("[&\r\n]") then
        return "a query that its signature does not cover; presign with version 4"
      end
    end
  end
end

-- Why the form's fields are refused; nil when they may pass. The fields stand before the file, which the store takes
-- as the end of the form, so all of them must be in `body`, the first few KiB. Strict: a delimiter, a part's header
-- or a boundary that another reader could take differently is refused.
local function form_fault(content_type, body)
  local boundary = content_type:match('^multipart/form%-data; *boundary="?([%w_.-]+)"?$')
  if not boundary then return "a form with an unusual boundary" end
  local delimiter = "--" .. boundary
  local from = 1
  if body:sub(1, #delimiter) ~= delimiter then return "a form that does not begin with its boundary" end
  while true do
    local stop = from + #delimiter
    if body:sub(stop, stop + 1) ~= "\r\n" then return "a form without a file in its first 8 KiB" end
    local blank = body:find("\r\n\r\n", stop, true)
    if not blank then return "a form without a file in its first 8 KiB" end
    local name
    for line in body:sub(stop + 2, blank - 1):gmatch("[^\r\n]+") do
      local header, value = line:match("^(Content%-[%a-]+): *(.*)$")
      if not header then header, value = line:match("^(content%-[%a-]+): *(.*)$") end
      if not header then return "a form with an unusual field" end
      if header:lower() == "content-disposition" then
        local field, rest = value:match('^form%-data; name="([^"\\]*)"(.*)$')
        if not field then field, rest = value:match("^form%-data; name=([%w_-]+)(.*)$") end
        if name or not field then return "a form with an unusual field" end
        if rest ~= "" and not rest:match('^; filename="[^"\\]*"$') and not rest:match("^; filename%*=[^;\"]+$")
          and not rest:match('^; filename="[^"\\]*"; filename%*=[^;"]+$') then
          return "a form with an unusual field"
        end
        name = field
      end
    end
    if not name then return "a form with an unusual field" end
    if forbidden(name:lower()) then return forbidden(name:lower()) end
    if name == "file" then return nil end
    from = body:find(delimiter, blank, true)
    if not from then return "a form without a file in its first 8 KiB" end
    if body:sub(from - 2, from - 1) ~= "\r\n" then return "a form with an unusual field" end
  end
end

-- Why a request without credentials in its headers or its query is refused; nil for a form that an own signature
-- covers, and for a browser that asks whether it may come.
local function without_credentials(method, content_type, query_text, segments, body)
  if method == "OPTIONS" then return nil end
  if method ~= "POST" or query_text ~= "" or segments ~= 1 or not begins(content_type, "multipart/form-data") then
    return "a request without a signature"
  end
  return form_fault(content_type, body)
end

-- Whether the body comes in chunks that have signatures or checksums of their own.
local function streams(headers, query)
  for _, values in ipairs({ headers["x-amz-content-sha256"] or {}, query["X-Amz-Content-Sha256"] or {} }) do
    for _, value in ipairs(values) do
      if begins(value:upper(), "STREAMING-") then return true end
    end
  end
  return false
end

-- Why the request is refused; nil when it may pass. `headers`: lower-case name → list of values.
local function fault(method, path, query_text, headers, body)
  local query = parameters(query_text)
  if not query then return "a query that is not well encoded" end
  for name in pairs(headers) do
    if forbidden(name) then return forbidden(name) end
  end
  for key in pairs(query) do
    local reason = forbidden(key:lower()) or REFUSED_KEYS[key:lower()]
    if reason then return reason end
  end
  local bucket, segments = first_segment(path)
  if bucket == "minio" or bucket == ".minio.sys" then
    -- Whether the store lives is asked without credentials, and says nothing else.
    local alive = path == "/minio/health/live" and query_text == "" and (method == "GET" or method == "HEAD")
    return not (alive and not headers["authorization"]) and "the store's own pages" or nil
  end
  for _, single in ipairs({ "authorization", "content-type", "x-amz-content-sha256", "x-amz-decoded-content-length" }) do
    if headers[single] and #headers[single] > 1 then return single .. " twice" end
  end
  local authorization = (headers["authorization"] or {})[1]
  local content_type = (headers["content-type"] or {})[1] or ""
  local form = begins(content_type:lower(), "multipart/form-data")

  if method == "POST" and not form then
    local known = false
    for key in pairs(query) do known = known or POST_KEYS[key] end
    if not known then return "the token service" end
  end

  local parts, why = presigned(query, SIGNATURE_PARTS)
  local old, old_why = presigned(query, OLD_SIGNATURE_PARTS)
  if why or old_why then return why or old_why end
  local ways = (authorization and 1 or 0) + (parts and 1 or 0) + (old and 1 or 0)
  if ways > 1 or (ways == 1 and form and method == "POST") then return "two signatures" end

  if (parts or old) and streams(headers, query) then return "a stream with a presigned query" end
  if old then return old_fault(query, headers) end
  local signed = {}
  if authorization then
    signed = signed_by_header(authorization)
    if not signed then return "an Authorization header that is no signature version 4" end
  elseif parts then
    signed = names(parts["x-amz-signedheaders"])
  else
    local reason = without_credentials(method, content_type, query_text, segments, body)
    if reason then return reason end
  end
  for name in pairs(headers) do
    if begins(name, "x-amz-") and not signed[name] then return "a header that the signature does not name" end
  end
end

core.register_action("s3_edge", { "http-req" }, function(txn)
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    local list = {}
    for _, value in pairs(values) do table.insert(list, value) end
    headers[name:lower()] = list
  end
  local reason = fault(txn.sf:method(), txn.sf:path(), txn.sf:query(), headers, txn.sf:req_body())
  txn:set_var("txn.s3_edge", reason or "pass")
end)
