"""`/api/uploads`: files come in one by one, go on where they broke off, and are imported into a project when all are there."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from lorasmith.errors import InputError
from lorasmith.jobs.enqueue import enqueue
from lorasmith.projects.uploads import Upload, UploadInfo
from lorasmith.studio.jobs import JobView
from lorasmith.studio.jobs import view as job_view
from lorasmith.studio.studio import OpenStudio

router = APIRouter(tags=["uploads"])


class NewUpload(BaseModel):
    """What files are to come in for."""

    project: str


class Commit(BaseModel):
    """How the files are to be imported."""

    concept: str | None = Field(None, max_length=100, description="What pictures in no N_name folder show: they go into N_CONCEPT.")
    repeats: int = Field(1, ge=1, le=999, description="The N of the concept.")
    without_incomplete: bool = Field(False, description="Leave out files of which only a part came.")


class FileView(BaseModel):
    """A file that came in, or is coming."""

    number: int
    name: str
    received: int = Field(description="Bytes that are there; where to go on.")
    complete: bool


class UploadView(BaseModel):
    """An upload with what is there of it."""

    id: str
    project: str
    job: int | None = Field(description="The job that imports it, once it was committed.")
    files: list[FileView]


@router.post("/uploads", status_code=201)
def begin_upload(new: NewUpload, studio: OpenStudio) -> UploadView:
    """Begin an upload for a project."""
    studio.projects[new.project]
    studio.clear_uploads()
    return view(studio.uploads.begin(new.project))


@router.get("/uploads/{upload}")
def get_upload(upload: str, studio: OpenStudio) -> UploadView:
    """What is there of an upload, so that it can go on after a break."""
    return view(studio.uploads[upload])


@router.put("/uploads/{upload}/files/{number}")
async def put_file(
    upload: str, number: int, request: Request, studio: OpenStudio,
    x_name: Annotated[str, Header(description="The file's name with its folders, percent-encoded.")],
    upload_length: Annotated[int, Header(ge=0, description="Bytes of the whole file.")],
    upload_offset: Annotated[int, Header(ge=0, description="Bytes that are there already: 0, or what `received` says.")] = 0,
) -> FileView:  # fmt: skip
    """Send a file, or the rest of one, as the body itself. What came before a break stays, and `received` says how much that is."""
    if number < 0:
        raise InputError("Files are numbered from 0.", code="upload.number", number=number)
    found = studio.uploads[upload]
    name = unquote(x_name)
    receiving = await run_in_threadpool(found.receive, number, name, upload_offset, upload_length)
    try:
        async for piece in request.stream():
            await run_in_threadpool(receiving.write, piece)
    except ClientDisconnect:
        pass  # what came stays, for the rest to be sent
    finally:
        complete = await run_in_threadpool(receiving.close)
    return FileView(number=number, name=name, received=receiving.received, complete=complete)


@router.post("/uploads/{upload}/commit", status_code=201)
def commit_upload(upload: str, commit: Commit, studio: OpenStudio) -> JobView:
    """Import what came in into the project's dataset, as a job."""
    found = studio.uploads[upload]
    with found.alone():
        info = found.info
        if info.job is not None:
            raise InputError(f"The upload {upload} was committed already.", code="upload.exists", job=info.job)
        project = studio.projects[info.project]
        sources = [str(source) for source in found.lay_out(commit.without_incomplete)]
        arguments = {
            "sources": sources, "into": str(project.dataset), "concept": commit.concept, "repeats": commit.repeats, "link": True
        }  # fmt: skip
        job = enqueue(studio.queue, "import", arguments, info.project, start=studio.start_supervisor)
        found.write(UploadInfo(project=info.project, job=job.id))
    return job_view(studio, job)


@router.delete("/uploads/{upload}", status_code=204)
def remove_upload(upload: str, studio: OpenStudio) -> None:
    """Throw an upload away."""
    studio.uploads[upload].remove()


def view(upload: Upload) -> UploadView:
    """An upload as the API shows it."""
    info = upload.info
    files = [FileView(number=file.number, name=file.name, received=file.received, complete=file.complete) for file in upload.listed()]
    return UploadView(id=upload.id, project=info.project, job=info.job, files=files)
