"""Bulk import of disk images into Huawei Cloud: paced, resumable, and never twice."""

__version__ = "1.0.0"
