// The vendor's Node client for OBS looks at objects and buckets, with both of its signatures.
const assert = require("node:assert/strict");
const ObsClient = require("esdk-obs-nodejs");

const [url, accessKey, secretKey] = process.argv.slice(2);
const key = "images/冷 disk+1~.zvhd2";

async function work(signature) {
  const open = async (secret) => {
    const client = new ObsClient({
      access_key_id: accessKey,
      secret_access_key: secret,
      server: url,
      path_style: true,
      signature,
      is_signature_negotiation: false,
      max_retry_count: 0,
      region: "cn-north-4",
    });
    await new Promise(setImmediate); // it goes on with its settings after it was made
    return client;
  };
  const ours = await open(secretKey);
  const found = await ours.getObjectMetadata({ Bucket: "mig-bucket", Key: key });
  assert.equal(found.CommonMsg.Status, 200);
  assert.equal(Number(found.InterfaceResult.ContentLength), 7 * 2 ** 30);
  const gone = await ours.getObjectMetadata({ Bucket: "mig-bucket", Key: "images/gone.zvhd2" });
  assert.equal(gone.CommonMsg.Status, 404);
  assert.equal((await ours.headBucket({ Bucket: "mig-bucket" })).CommonMsg.Status, 200);
  const listed = await ours.listObjects({ Bucket: "mig-bucket", Prefix: "images/" });
  assert.deepEqual(listed.InterfaceResult.Contents.map((object) => object.Key), [key]);
  const refused = await (await open("wrong")).getObjectMetadata({ Bucket: "mig-bucket", Key: key });
  assert.equal(refused.CommonMsg.Status, 403);
  console.log(`esdk-obs-nodejs, signature ${signature}: well`);
}

(async () => {
  for (const signature of ["v2", "v4"]) {
    await work(signature);
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
