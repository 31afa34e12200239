import threading

from medner.core.files.locks import exclusive


def test_second_holder_waits_and_says_so_once(tmp_path):
    """While one holds the lock, another is told once that it waits and goes on after the first has let go."""
    told, order = threading.Event(), []

    def second():
        with exclusive(tmp_path / "a.lock", told.set):
            order.append("second")

    with exclusive(tmp_path / "a.lock", lambda: order.append("told")):
        thread = threading.Thread(target=second)
        thread.start()
        assert told.wait(20)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_lock_is_free_after_an_error(tmp_path):
    """An error inside lets go of the lock."""
    told = []
    try:
        with exclusive(tmp_path / "a.lock", lambda: told.append(1)):
            raise KeyError
    except KeyError:
        pass
    with exclusive(tmp_path / "a.lock", lambda: told.append(1)):
        pass
    assert told == []
