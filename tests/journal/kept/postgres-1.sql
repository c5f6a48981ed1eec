--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: migrator; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA migrator;


--
-- Name: events_stay(); Type: FUNCTION; Schema: migrator; Owner: -
--

CREATE FUNCTION migrator.events_stay() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'events are never changed or deleted'; END $$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: events; Type: TABLE; Schema: migrator; Owner: -
--

CREATE TABLE migrator.events (
    seq bigint NOT NULL,
    plan bigint NOT NULL,
    target text,
    at double precision NOT NULL,
    kind text NOT NULL,
    key text,
    body text NOT NULL
);


--
-- Name: events_seq_seq; Type: SEQUENCE; Schema: migrator; Owner: -
--

ALTER TABLE migrator.events ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME migrator.events_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: handed; Type: TABLE; Schema: migrator; Owner: -
--

CREATE TABLE migrator.handed (
    plan bigint NOT NULL,
    target text NOT NULL,
    chunk integer NOT NULL,
    images text NOT NULL
);


--
-- Name: images; Type: TABLE; Schema: migrator; Owner: -
--

CREATE TABLE migrator.images (
    "position" bigint NOT NULL,
    plan bigint NOT NULL,
    key text NOT NULL,
    target text NOT NULL,
    digest bytea NOT NULL,
    image text NOT NULL
);


--
-- Name: images_position_seq; Type: SEQUENCE; Schema: migrator; Owner: -
--

ALTER TABLE migrator.images ALTER COLUMN "position" ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME migrator.images_position_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: meta; Type: TABLE; Schema: migrator; Owner: -
--

CREATE TABLE migrator.meta (
    version integer NOT NULL
);


--
-- Name: plans; Type: TABLE; Schema: migrator; Owner: -
--

CREATE TABLE migrator.plans (
    id bigint NOT NULL,
    name text NOT NULL,
    holder uuid,
    epoch bigint DEFAULT 0 NOT NULL,
    generation bigint DEFAULT 0 NOT NULL,
    appended bigint DEFAULT 0 NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    document text,
    run text,
    stopping text
)
WITH (fillfactor='50');


--
-- Name: plans_id_seq; Type: SEQUENCE; Schema: migrator; Owner: -
--

ALTER TABLE migrator.plans ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME migrator.plans_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: processes; Type: TABLE; Schema: migrator; Owner: -
--

CREATE TABLE migrator.processes (
    id uuid NOT NULL,
    name text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    machine text NOT NULL,
    began text NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    beat timestamp with time zone DEFAULT now() NOT NULL,
    stale double precision NOT NULL,
    queues text[]
)
WITH (fillfactor='50');


--
-- Name: shards; Type: TABLE; Schema: migrator; Owner: -
--

CREATE TABLE migrator.shards (
    plan bigint NOT NULL,
    target text NOT NULL,
    holder uuid,
    epoch bigint DEFAULT 0 NOT NULL,
    generation bigint DEFAULT 0 NOT NULL,
    appended bigint DEFAULT 0 NOT NULL,
    revision integer DEFAULT 0 NOT NULL,
    queue text DEFAULT ''::text NOT NULL,
    counts text DEFAULT '{}'::text NOT NULL,
    not_before timestamp with time zone,
    waits text DEFAULT ''::text NOT NULL,
    over_at timestamp with time zone,
    exit_code integer,
    reason text DEFAULT ''::text NOT NULL
)
WITH (fillfactor='50');


--
-- Name: states; Type: TABLE; Schema: migrator; Owner: -
--

CREATE TABLE migrator.states (
    plan bigint NOT NULL,
    key text NOT NULL,
    phase text NOT NULL,
    state text NOT NULL
)
WITH (fillfactor='70');


--
-- Data for Name: events; Type: TABLE DATA; Schema: migrator; Owner: -
--

INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (1, 1, NULL, 1795759182.059687, 'RunBegan', NULL, '{"at":1795759182.059687,"run":"20261127T055942Z-82daaf","version":"1.0.0","host":"host","pid":5597}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (2, 1, 'north', 1795759182.0597177, 'ImagePlanned', 'north/web-01', '{"at":1795759182.0597177,"key":"north/web-01","image":{"name":"web-01","target":"north","source":{"bucket":"bucket","key":"web-01.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"992822ed8ba416b37b42a5d7"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (3, 1, 'north', 1795759182.0597177, 'ImagePlanned', 'north/web-02', '{"at":1795759182.0597177,"key":"north/web-02","image":{"name":"web-02","target":"north","source":{"bucket":"bucket","key":"web-02.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"71b02ec26758f84524017d92"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (4, 1, 'north', 1795759182.0597177, 'ImagePlanned', 'north/web-03', '{"at":1795759182.0597177,"key":"north/web-03","image":{"name":"web-03","target":"north","source":{"bucket":"bucket","key":"web-03.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"6d1e3a3ed031edf6de60dc14"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (5, 1, 'north', 1795759182.0597177, 'ImagePlanned', 'north/web-04', '{"at":1795759182.0597177,"key":"north/web-04","image":{"name":"web-04","target":"north","source":{"bucket":"bucket","key":"web-04.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"105d49ea659e34035b1587ba"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (6, 1, 'north', 1795759182.0597177, 'ImagePlanned', 'north/web-05', '{"at":1795759182.0597177,"key":"north/web-05","image":{"name":"web-05","target":"north","source":{"bucket":"bucket","key":"web-05.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"06e973cdc9b333c92c7e2e63"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (7, 1, 'north', 1795759182.0597177, 'ImagePlanned', 'north/web-06', '{"at":1795759182.0597177,"key":"north/web-06","image":{"name":"web-06","target":"north","source":{"bucket":"bucket","key":"web-06.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"1c08dd8548cf8bddc9601cd4"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (8, 1, 'north', 1795759182.1085284, 'AttemptBegan', 'north/web-01', '{"at":1795759182.1085284,"key":"north/web-01","attempt":1,"digest":"992822ed8ba416b37b42a5d7","signed_at":1795759182.0}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (9, 1, 'north', 1795759182.1090894, 'AttemptBegan', 'north/web-02', '{"at":1795759182.1090894,"key":"north/web-02","attempt":1,"digest":"71b02ec26758f84524017d92","signed_at":1795759182.0}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (10, 1, 'north', 1795759182.1238685, 'JobAccepted', 'north/web-01', '{"at":1795759182.1238685,"key":"north/web-01","job_id":"ff808082845eea7aaec35c886427a927"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (11, 1, 'north', 1795759182.134346, 'JobAccepted', 'north/web-02', '{"at":1795759182.134346,"key":"north/web-02","job_id":"ff80808260b9ae8cabdb072ef313d064"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (12, 1, 'north', 1795759182.2469993, 'JobProgressed', 'north/web-01', '{"at":1795759182.2469993,"key":"north/web-01","progress":0.59}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (13, 1, 'north', 1795759182.248875, 'JobProgressed', 'north/web-02', '{"at":1795759182.248875,"key":"north/web-02","progress":0.59}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (14, 1, 'north', 1795759182.3566782, 'JobSucceeded', 'north/web-01', '{"at":1795759182.3566782,"key":"north/web-01","image_id":"00f8da62-d440-4a7f-8e11-44e2ff4f7404"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (15, 1, 'north', 1795759182.3577633, 'JobSucceeded', 'north/web-02', '{"at":1795759182.3577633,"key":"north/web-02","image_id":"ba6f2810-e730-41e7-8f6f-0c68148da897"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (16, 1, 'north', 1795759182.3594456, 'AttemptBegan', 'north/web-03', '{"at":1795759182.3594456,"key":"north/web-03","attempt":1,"digest":"6d1e3a3ed031edf6de60dc14","signed_at":1795759182.0}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (17, 1, 'north', 1795759182.359783, 'AttemptBegan', 'north/web-04', '{"at":1795759182.359783,"key":"north/web-04","attempt":1,"digest":"105d49ea659e34035b1587ba","signed_at":1795759182.0}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (18, 1, 'north', 1795759182.376846, 'ImageVerified', 'north/web-01', '{"at":1795759182.376846,"key":"north/web-01","image_id":"00f8da62-d440-4a7f-8e11-44e2ff4f7404"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (19, 1, 'north', 1795759182.376877, 'ImageVerified', 'north/web-02', '{"at":1795759182.376877,"key":"north/web-02","image_id":"ba6f2810-e730-41e7-8f6f-0c68148da897"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (20, 1, 'north', 1795759182.3959591, 'JobAccepted', 'north/web-03', '{"at":1795759182.3959591,"key":"north/web-03","job_id":"ff808082560b16fbc5d5dfc2b4ae9f0b"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (21, 1, 'north', 1795759182.396145, 'JobAccepted', 'north/web-04', '{"at":1795759182.396145,"key":"north/web-04","job_id":"ff8080820ea1e1d2ae5de5d2caa6eb2c"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (22, 1, 'north', 1795759182.5110412, 'JobFailed', 'north/web-03', '{"at":1795759182.5110412,"key":"north/web-03","fault":{"message":"The image file does not exist, is empty, or is in an incorrect format.","code":"IMG.0057","remedy":"Check that the upload to OBS is complete and that image_url names it, then use --retry-failed.","request_id":"3fd0a9ac5f451d03c3765d2cbfe9d4ab","status":200}}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (23, 1, 'north', 1795759182.5149658, 'JobProgressed', 'north/web-04', '{"at":1795759182.5149658,"key":"north/web-04","progress":0.58}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (24, 1, 'north', 1795759182.523188, 'AttemptBegan', 'north/web-05', '{"at":1795759182.523188,"key":"north/web-05","attempt":1,"digest":"06e973cdc9b333c92c7e2e63","signed_at":1795759182.0}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (25, 1, 'north', 1795759182.535121, 'JobAccepted', 'north/web-05', '{"at":1795759182.535121,"key":"north/web-05","job_id":"ff8080829ecb2e4143735263ee6de52b"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (26, 1, 'north', 1795759182.6281006, 'JobSucceeded', 'north/web-04', '{"at":1795759182.6281006,"key":"north/web-04","image_id":"b6807c44-d598-40c9-8b7f-1f43f11f0c34"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (27, 1, 'north', 1795759182.6296792, 'AttemptBegan', 'north/web-06', '{"at":1795759182.6296792,"key":"north/web-06","attempt":1,"digest":"1c08dd8548cf8bddc9601cd4","signed_at":1795759182.0}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (28, 1, 'north', 1795759182.6395764, 'ImageVerified', 'north/web-04', '{"at":1795759182.6395764,"key":"north/web-04","image_id":"b6807c44-d598-40c9-8b7f-1f43f11f0c34"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (29, 1, 'north', 1795759182.6415527, 'JobProgressed', 'north/web-05', '{"at":1795759182.6415527,"key":"north/web-05","progress":0.56}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (30, 1, 'north', 1795759182.647788, 'JobAccepted', 'north/web-06', '{"at":1795759182.647788,"key":"north/web-06","job_id":"ff80808265b7e847f0a7c8abe2c14510"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (31, 1, 'north', 1795759182.756036, 'JobSucceeded', 'north/web-05', '{"at":1795759182.756036,"key":"north/web-05","image_id":"74506cef-4c0c-48a3-89e5-7c7ee46d58f6"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (32, 1, 'north', 1795759182.7589922, 'JobProgressed', 'north/web-06', '{"at":1795759182.7589922,"key":"north/web-06","progress":0.56}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (33, 1, 'north', 1795759182.7613456, 'ImageVerified', 'north/web-05', '{"at":1795759182.7613456,"key":"north/web-05","image_id":"74506cef-4c0c-48a3-89e5-7c7ee46d58f6"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (34, 1, 'north', 1795759182.8628669, 'JobSucceeded', 'north/web-06', '{"at":1795759182.8628669,"key":"north/web-06","image_id":"7e68ca28-5066-4f6d-8805-113ac2b93dfe"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (35, 1, 'north', 1795759182.865289, 'ImageVerified', 'north/web-06', '{"at":1795759182.865289,"key":"north/web-06","image_id":"7e68ca28-5066-4f6d-8805-113ac2b93dfe"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (36, 1, NULL, 1795759182.8714745, 'RunEnded', NULL, '{"at":1795759182.8714745,"run":"20261127T055942Z-82daaf","reason":"finished; 1 images failed","exit_code":3}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (37, 1, NULL, 1795759185.5522366, 'RunBegan', NULL, '{"at":1795759185.5522366,"run":"20261127T055945Z-7c91ee","version":"1.0.0","host":"host","pid":5624}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (38, 1, 'north', 1795759185.55229, 'ImagePlanned', 'north/web-07', '{"at":1795759185.55229,"key":"north/web-07","image":{"name":"web-07","target":"north","source":{"bucket":"bucket","key":"web-07.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"684ff1ff04f2d94c2463d1a2"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (39, 1, 'north', 1795759185.55229, 'ImagePlanned', 'north/web-08', '{"at":1795759185.55229,"key":"north/web-08","image":{"name":"web-08","target":"north","source":{"bucket":"bucket","key":"web-08.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"a5b47c9f3ee465a6ee4dbf31"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (40, 1, 'north', 1795759185.55229, 'ImagePlanned', 'north/web-09', '{"at":1795759185.55229,"key":"north/web-09","image":{"name":"web-09","target":"north","source":{"bucket":"bucket","key":"web-09.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"22c740ae4a216b58c26060fc"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (41, 1, 'north', 1795759185.55229, 'ImagePlanned', 'north/web-10', '{"at":1795759185.55229,"key":"north/web-10","image":{"name":"web-10","target":"north","source":{"bucket":"bucket","key":"web-10.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"},"digest":"76b57ec2f39f24e10d6fe741"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (42, 1, 'north', 1795759185.6264117, 'AttemptBegan', 'north/web-07', '{"at":1795759185.6264117,"key":"north/web-07","attempt":1,"digest":"684ff1ff04f2d94c2463d1a2","signed_at":1795759185.0}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (43, 1, 'north', 1795759185.6267738, 'AttemptBegan', 'north/web-08', '{"at":1795759185.6267738,"key":"north/web-08","attempt":1,"digest":"a5b47c9f3ee465a6ee4dbf31","signed_at":1795759185.0}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (44, 1, 'north', 1795759185.6305964, 'JobAccepted', 'north/web-07', '{"at":1795759185.6305964,"key":"north/web-07","job_id":"ff808082d6ddd251c8b0c797da6643e0"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (45, 1, 'north', 1795759185.6313386, 'JobAccepted', 'north/web-08', '{"at":1795759185.6313386,"key":"north/web-08","job_id":"ff808082a747127319eee0334f6a5c6e"}');
INSERT INTO migrator.events OVERRIDING SYSTEM VALUE VALUES (46, 1, NULL, 1795759186.644186, 'RunEnded', NULL, '{"at":1795759186.644186,"run":"20261127T055945Z-7c91ee","reason":"interrupted by Ctrl-C; run again to continue","exit_code":130}');


--
-- Data for Name: handed; Type: TABLE DATA; Schema: migrator; Owner: -
--



--
-- Data for Name: images; Type: TABLE DATA; Schema: migrator; Owner: -
--

INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (1, 1, 'north/web-01', 'north', '\x393932383232656438626134313662333762343261356437', '{"name":"web-01","target":"north","source":{"bucket":"bucket","key":"web-01.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (2, 1, 'north/web-02', 'north', '\x373162303265633236373538663834353234303137643932', '{"name":"web-02","target":"north","source":{"bucket":"bucket","key":"web-02.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (3, 1, 'north/web-03', 'north', '\x366431653361336564303331656466366465363064633134', '{"name":"web-03","target":"north","source":{"bucket":"bucket","key":"web-03.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (4, 1, 'north/web-04', 'north', '\x313035643439656136353965333430333562313538376261', '{"name":"web-04","target":"north","source":{"bucket":"bucket","key":"web-04.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (5, 1, 'north/web-05', 'north', '\x303665393733636463396233333363393263376532653633', '{"name":"web-05","target":"north","source":{"bucket":"bucket","key":"web-05.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (6, 1, 'north/web-06', 'north', '\x316330386464383534386366386264646339363031636434', '{"name":"web-06","target":"north","source":{"bucket":"bucket","key":"web-06.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (7, 1, 'north/web-07', 'north', '\x363834666631666630346632643934633234363364316132', '{"name":"web-07","target":"north","source":{"bucket":"bucket","key":"web-07.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (8, 1, 'north/web-08', 'north', '\x613562343763396633656534363561366565346462663331', '{"name":"web-08","target":"north","source":{"bucket":"bucket","key":"web-08.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (9, 1, 'north/web-09', 'north', '\x323263373430616534613231366235386332363036306663', '{"name":"web-09","target":"north","source":{"bucket":"bucket","key":"web-09.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');
INSERT INTO migrator.images OVERRIDING SYSTEM VALUE VALUES (10, 1, 'north/web-10', 'north', '\x373662353765633266333966323465313064366665373431', '{"name":"web-10","target":"north","source":{"bucket":"bucket","key":"web-10.zvhd2"},"min_disk":40,"os_version":"CentOS 7.6 64bit"}');


--
-- Data for Name: meta; Type: TABLE DATA; Schema: migrator; Owner: -
--

INSERT INTO migrator.meta VALUES (1);


--
-- Data for Name: plans; Type: TABLE DATA; Schema: migrator; Owner: -
--

INSERT INTO migrator.plans OVERRIDING SYSTEM VALUE VALUES (1, 'kept', NULL, 2, 25, 46, 0, NULL, NULL, NULL);


--
-- Data for Name: processes; Type: TABLE DATA; Schema: migrator; Owner: -
--



--
-- Data for Name: shards; Type: TABLE DATA; Schema: migrator; Owner: -
--



--
-- Data for Name: states; Type: TABLE DATA; Schema: migrator; Owner: -
--

INSERT INTO migrator.states VALUES (1, 'north/web-05', 'succeeded', '{"key":"north/web-05","phase":"succeeded","attempts":[{"number":1,"began_at":1795759182.523188,"signed_at":1795759182.0,"outcome":"accepted","ended_at":1795759182.535121,"job_id":"ff8080829ecb2e4143735263ee6de52b"}],"digest":"06e973cdc9b333c92c7e2e63","job_id":"ff8080829ecb2e4143735263ee6de52b","image_id":"74506cef-4c0c-48a3-89e5-7c7ee46d58f6","progress":1.0,"submitted_at":1795759182.535121,"job_ended_at":1795759182.756036,"finished_at":1795759182.7613456}');
INSERT INTO migrator.states VALUES (1, 'north/web-04', 'succeeded', '{"key":"north/web-04","phase":"succeeded","attempts":[{"number":1,"began_at":1795759182.359783,"signed_at":1795759182.0,"outcome":"accepted","ended_at":1795759182.396145,"job_id":"ff8080820ea1e1d2ae5de5d2caa6eb2c"}],"digest":"105d49ea659e34035b1587ba","job_id":"ff8080820ea1e1d2ae5de5d2caa6eb2c","image_id":"b6807c44-d598-40c9-8b7f-1f43f11f0c34","progress":1.0,"submitted_at":1795759182.396145,"job_ended_at":1795759182.6281006,"finished_at":1795759182.6395764}');
INSERT INTO migrator.states VALUES (1, 'north/web-01', 'succeeded', '{"key":"north/web-01","phase":"succeeded","attempts":[{"number":1,"began_at":1795759182.1085284,"signed_at":1795759182.0,"outcome":"accepted","ended_at":1795759182.1238685,"job_id":"ff808082845eea7aaec35c886427a927"}],"digest":"992822ed8ba416b37b42a5d7","job_id":"ff808082845eea7aaec35c886427a927","image_id":"00f8da62-d440-4a7f-8e11-44e2ff4f7404","progress":1.0,"submitted_at":1795759182.1238685,"job_ended_at":1795759182.3566782,"finished_at":1795759182.376846}');
INSERT INTO migrator.states VALUES (1, 'north/web-02', 'succeeded', '{"key":"north/web-02","phase":"succeeded","attempts":[{"number":1,"began_at":1795759182.1090894,"signed_at":1795759182.0,"outcome":"accepted","ended_at":1795759182.134346,"job_id":"ff80808260b9ae8cabdb072ef313d064"}],"digest":"71b02ec26758f84524017d92","job_id":"ff80808260b9ae8cabdb072ef313d064","image_id":"ba6f2810-e730-41e7-8f6f-0c68148da897","progress":1.0,"submitted_at":1795759182.134346,"job_ended_at":1795759182.3577633,"finished_at":1795759182.376877}');
INSERT INTO migrator.states VALUES (1, 'north/web-06', 'succeeded', '{"key":"north/web-06","phase":"succeeded","attempts":[{"number":1,"began_at":1795759182.6296792,"signed_at":1795759182.0,"outcome":"accepted","ended_at":1795759182.647788,"job_id":"ff80808265b7e847f0a7c8abe2c14510"}],"digest":"1c08dd8548cf8bddc9601cd4","job_id":"ff80808265b7e847f0a7c8abe2c14510","image_id":"7e68ca28-5066-4f6d-8805-113ac2b93dfe","progress":1.0,"submitted_at":1795759182.647788,"job_ended_at":1795759182.8628669,"finished_at":1795759182.865289}');
INSERT INTO migrator.states VALUES (1, 'north/web-03', 'failed', '{"key":"north/web-03","phase":"failed","attempts":[{"number":1,"began_at":1795759182.3594456,"signed_at":1795759182.0,"outcome":"accepted","ended_at":1795759182.3959591,"job_id":"ff808082560b16fbc5d5dfc2b4ae9f0b"}],"digest":"6d1e3a3ed031edf6de60dc14","job_id":"ff808082560b16fbc5d5dfc2b4ae9f0b","submitted_at":1795759182.3959591,"finished_at":1795759182.5110412,"fault":{"message":"The image file does not exist, is empty, or is in an incorrect format.","code":"IMG.0057","remedy":"Check that the upload to OBS is complete and that image_url names it, then use --retry-failed.","request_id":"3fd0a9ac5f451d03c3765d2cbfe9d4ab","status":200}}');
INSERT INTO migrator.states VALUES (1, 'north/web-07', 'running', '{"key":"north/web-07","phase":"running","attempts":[{"number":1,"began_at":1795759185.6264117,"signed_at":1795759185.0,"outcome":"accepted","ended_at":1795759185.6305964,"job_id":"ff808082d6ddd251c8b0c797da6643e0"}],"digest":"684ff1ff04f2d94c2463d1a2","job_id":"ff808082d6ddd251c8b0c797da6643e0","submitted_at":1795759185.6305964}');
INSERT INTO migrator.states VALUES (1, 'north/web-08', 'running', '{"key":"north/web-08","phase":"running","attempts":[{"number":1,"began_at":1795759185.6267738,"signed_at":1795759185.0,"outcome":"accepted","ended_at":1795759185.6313386,"job_id":"ff808082a747127319eee0334f6a5c6e"}],"digest":"a5b47c9f3ee465a6ee4dbf31","job_id":"ff808082a747127319eee0334f6a5c6e","submitted_at":1795759185.6313386}');


--
-- Name: events_seq_seq; Type: SEQUENCE SET; Schema: migrator; Owner: -
--

SELECT pg_catalog.setval('migrator.events_seq_seq', 46, true);


--
-- Name: images_position_seq; Type: SEQUENCE SET; Schema: migrator; Owner: -
--

SELECT pg_catalog.setval('migrator.images_position_seq', 10, true);


--
-- Name: plans_id_seq; Type: SEQUENCE SET; Schema: migrator; Owner: -
--

SELECT pg_catalog.setval('migrator.plans_id_seq', 2, true);


--
-- Name: events events_pkey; Type: CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (plan, seq);


--
-- Name: handed handed_pkey; Type: CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.handed
    ADD CONSTRAINT handed_pkey PRIMARY KEY (plan, target, chunk);


--
-- Name: images images_pkey; Type: CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (plan, key);


--
-- Name: plans plans_name_key; Type: CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.plans
    ADD CONSTRAINT plans_name_key UNIQUE (name);


--
-- Name: plans plans_pkey; Type: CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.plans
    ADD CONSTRAINT plans_pkey PRIMARY KEY (id);


--
-- Name: processes processes_pkey; Type: CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.processes
    ADD CONSTRAINT processes_pkey PRIMARY KEY (id);


--
-- Name: shards shards_pkey; Type: CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.shards
    ADD CONSTRAINT shards_pkey PRIMARY KEY (plan, target);


--
-- Name: states states_pkey; Type: CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.states
    ADD CONSTRAINT states_pkey PRIMARY KEY (plan, key);


--
-- Name: events_about_no_image; Type: INDEX; Schema: migrator; Owner: -
--

CREATE INDEX events_about_no_image ON migrator.events USING btree (plan, seq) WHERE (key IS NULL);


--
-- Name: states_by_target; Type: STATISTICS; Schema: migrator; Owner: -
--

CREATE STATISTICS migrator.states_by_target ON split_part(key, '/'::text, 1) FROM migrator.states;


--
-- Name: events events_stay; Type: TRIGGER; Schema: migrator; Owner: -
--

CREATE TRIGGER events_stay BEFORE DELETE OR UPDATE ON migrator.events FOR EACH ROW EXECUTE FUNCTION migrator.events_stay();


--
-- Name: handed handed_plan_fkey; Type: FK CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.handed
    ADD CONSTRAINT handed_plan_fkey FOREIGN KEY (plan) REFERENCES migrator.plans(id);


--
-- Name: shards shards_plan_fkey; Type: FK CONSTRAINT; Schema: migrator; Owner: -
--

ALTER TABLE ONLY migrator.shards
    ADD CONSTRAINT shards_plan_fkey FOREIGN KEY (plan) REFERENCES migrator.plans(id);


--
-- PostgreSQL database dump complete
--


