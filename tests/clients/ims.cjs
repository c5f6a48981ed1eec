// The vendor's Node client asks for a quick import, follows its job and lists the image; a wrong key is refused.
const assert = require("node:assert/strict");
const { BasicCredentials } = require("@huaweicloud/huaweicloud-sdk-core");
// Not its ClientBuilder: as published, that looks for a package.json outside its own folder.
const { HcClient } = require("@huaweicloud/huaweicloud-sdk-core/HcClient");
const { DefaultHttpClient } = require("@huaweicloud/huaweicloud-sdk-core/http/DefaultHttpClient");

const [url, accessKey, secretKey, project] = process.argv.slice(2);

function client(secret) {
  const credential = new BasicCredentials().withAk(accessKey).withSk(secret).withProjectId(project);
  return new HcClient(new DefaultHttpClient({}, [url])).withEndpoints([url]).withCredential(credential);
}

function request(method, path, more = {}) {
  return {
    method,
    url: path,
    contentType: "application/json",
    queryParams: {},
    pathParams: {},
    headers: { "Content-Type": "application/json" },
    ...more,
  };
}

async function main() {
  const ours = client(secretKey);
  const body = {
    name: "node-迁移-01",
    os_version: "CentOS 7.6 64bit",
    image_url: "mig-bucket:images/web-01.zvhd2",
    min_disk: 40,
    tags: ["app.shop"],
  };
  const accepted = await ours.sendRequest(
    request("POST", "/v2/cloudimages/quickimport/action", { data: body }),
  );
  assert.match(accepted.job_id, /^[0-9a-f]{32}$/);
  const job = await ours.sendRequest(request("GET", `/v1/${project}/jobs/${accepted.job_id}`));
  assert.equal(job.status, "SUCCESS");
  const query = { name: body.name, tag: "app=shop" };
  const listed = await ours.sendRequest(request("GET", "/v2/cloudimages", { queryParams: query }));
  assert.deepEqual(listed.images.map((image) => [image.id, image.status]), [[job.entities.image_id, "active"]]);
  await assert.rejects(
    client("wrong").sendRequest(request("GET", "/v2/cloudimages")),
    (error) => error.httpStatusCode === 401,
  );
}

main().then(
  () => console.log("@huaweicloud/huaweicloud-sdk-core: well"),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
