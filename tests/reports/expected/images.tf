# 7 images of migration dc-east, as of 2026-05-28 20:38 UTC
#
# Put this file into a Terraform configuration (Terraform 1.5 or newer) that has these providers:
#
#   terraform {
#     required_providers {
#       huaweicloud = { source = "huaweicloud/huaweicloud" }
#       opentelekomcloud = { source = "opentelekomcloud/opentelekomcloud" }
#     }
#   }
#   provider "huaweicloud" {
#     alias  = "north"
#     region = "cn-north-4"
#   }
#   provider "huaweicloud" {
#     alias  = "south"
#     region = "cn-north-4"
#   }
#   provider "opentelekomcloud" {
#     alias       = "west"
#     tenant_name = "cn-north-4"
#   }
#
# `terraform plan` then imports every image below, and adds, changes and destroys none of them.

# --- Target north: region cn-north-4

# north/web-01
import {
  to = huaweicloud_ims_quickimport_system_image.north__web-01
  id = "id-web"
}

resource "huaweicloud_ims_quickimport_system_image" "north__web-01" {
  provider   = huaweicloud.north
  name       = "web-01"
  image_url  = "mig-bucket:images/web-01.zvhd2"
  min_disk   = 40
  os_version = "CentOS 7.6 64bit"

  lifecycle {
    ignore_changes  = all
    prevent_destroy = true
  }
}

# north/网络 01
import {
  to = huaweicloud_ims_quickimport_data_image.north__01__759156716e35
  id = "id-data"
}

resource "huaweicloud_ims_quickimport_data_image" "north__01__759156716e35" {
  provider  = huaweicloud.north
  name      = "网络 01"
  image_url = "mig-bucket:images/网络 01.zvhd2"
  min_disk  = 40
  type      = "DataImage"

  lifecycle {
    ignore_changes  = all
    prevent_destroy = true
  }
}

# north/old.01
import {
  to = huaweicloud_ims_obs_system_image.north__old_01__cffb7cddadc5
  id = "id-old"
}

resource "huaweicloud_ims_obs_system_image" "north__old_01__cffb7cddadc5" {
  provider  = huaweicloud.north
  name      = "old.01"
  image_url = "mig-bucket:images/old.01.zvhd2"
  min_disk  = 40

  lifecycle {
    ignore_changes  = all
    prevent_destroy = true
  }
}

# north/lake
import {
  to = huaweicloud_ims_obs_data_image.north__lake
  id = "id-lake"
}

resource "huaweicloud_ims_obs_data_image" "north__lake" {
  provider  = huaweicloud.north
  name      = "lake"
  image_url = "mig-bucket:images/lake.zvhd2"
  min_disk  = 40

  lifecycle {
    ignore_changes  = all
    prevent_destroy = true
  }
}

# --- Target south: region cn-north-4

# south/web-01, a copy of north/web-01
import {
  to = huaweicloud_ims_quickimport_system_image.south__copy-of__north__web-01
  id = "id-web-south"
}

resource "huaweicloud_ims_quickimport_system_image" "south__copy-of__north__web-01" {
  provider   = huaweicloud.south
  name       = "web-01"
  image_url  = "mig-bucket:images/web-01.zvhd2"
  min_disk   = 40
  os_version = "CentOS 7.6 64bit"

  lifecycle {
    ignore_changes  = all
    prevent_destroy = true
  }
}

# south/old.01, a copy of north/old.01
import {
  to = huaweicloud_ims_obs_system_image.south__copy-of__north__old_01__d933052ead7e
  id = "id-old-south"
}

resource "huaweicloud_ims_obs_system_image" "south__copy-of__north__old_01__d933052ead7e" {
  provider  = huaweicloud.south
  name      = "old.01"
  image_url = "mig-bucket:images/old.01.zvhd2"
  min_disk  = 40

  lifecycle {
    ignore_changes  = all
    prevent_destroy = true
  }
}

# --- Target west: region cn-north-4

# west/de
import {
  to = opentelekomcloud_ims_image_v2.west__de
  id = "id-de"
}

resource "opentelekomcloud_ims_image_v2" "west__de" {
  provider  = opentelekomcloud.west
  name      = "de"
  image_url = "mig-bucket:images/de.zvhd2"
  min_disk  = 40

  lifecycle {
    ignore_changes  = all
    prevent_destroy = true
  }
}
