//! The listeners of the program. While it runs they can be changed without closing one that is named
//! again: its socket stays, and what answers on it is replaced. Every place that is new is taken before
//! anything changes.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Request, Response};
use http_body_util::Either;
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::ground::Ground;
use super::house::House;
use super::observers::failed_handshakes;
use super::pages::{Page, PageBody};
use super::start::{Address, StartError};
use crate::metrics::own::Counter;
use crate::net::tls::{Acceptor, ServerSettings};
use crate::net::{self, Drained, Handler, Limits, Listener, Service};
use crate::receiver;

/// When a listener is closed at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// First: it takes telemetry.
    Intake,
    /// Last, so that the books can be read to the end.
    Pages,
}

/// What answers on a listener.
pub(super) enum Answers {
    Receiver(Box<receiver::Answers>),
    Page(Page),
}

/// A listener that there is to be.
pub(super) struct Wanted {
    pub(super) what: &'static str,
    /// The component's id, below its section.
    pub(super) id: String,
    /// The path of the section that says where.
    pub(super) section: String,
    /// The setting in it.
    pub(super) key: &'static str,
    /// `host:port`.
    pub(super) endpoint: String,
    /// Plain text without it.
    pub(super) tls: Option<ServerSettings>,
    /// Whether it knows who asks, apart from certificates.
    pub(super) has_guard: bool,
    pub(super) group: Group,
    pub(super) make: Make,
}

/// Makes what answers in a house, with the bounds of its connections.
pub(super) type Make = Box<dyn FnOnce(&House, &Ground) -> (Answers, Limits) + Send>;

/// A listener that there will be, and its place.
pub(super) struct Ready {
    wanted: Wanted,
    place: Place,
}

enum Place {
    /// A listener that runs goes on, with other answers.
    Stays,
    /// A socket; accepted from as soon as it is opened.
    Socket(Arc<TcpListener>, SocketAddr, Option<Acceptor>),
}

/// A listener that runs.
struct Door {
    what: &'static str,
    id: String,
    endpoint: String,
    tls: Option<ServerSettings>,
    is_guarded: bool,
    group: Group,
    address: SocketAddr,
    socket: Arc<TcpListener>,
    service: Service<Counted>,
    shutdown: CancellationToken,
    served: JoinHandle<Option<Drained>>,
}

/// See the module's documentation.
#[derive(Default)]
pub(super) struct Doors(Vec<Door>);

impl Door {
    fn is(&self, wanted: &Wanted) -> bool {
        self.has_place_of(wanted) && self.tls == wanted.tls
    }

    fn has_place_of(&self, wanted: &Wanted) -> bool {
        self.what == wanted.what && self.id == wanted.id && self.endpoint == wanted.endpoint
    }
}

impl Wanted {
    /// Its side of TLS, if it has one. Must be called inside of a tokio runtime.
    ///
    /// # Errors
    /// What is wrong with the settings or the files.
    pub(super) fn acceptor(&self) -> Result<Option<Acceptor>, StartError> {
        let acceptor = self.tls.as_ref().map(|tls| Acceptor::start(&format!("{}.tls", self.section), tls));
        acceptor.transpose().map_err(|source| StartError::Tls { section: self.section.clone(), source })
    }
}

impl Doors {
    /// Finds a place for every listener. Nothing changes.
    ///
    /// # Errors
    /// A place that cannot be had.
    pub(super) async fn prepare(&self, wanted: Vec<Wanted>) -> Result<Vec<Ready>, StartError> {
        let mut ready = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            let place = self.place(&wanted).await?;
            ready.push(Ready { wanted, place });
        }
        Ok(ready)
    }

    async fn place(&self, wanted: &Wanted) -> Result<Place, StartError> {
        if self.0.iter().any(|door| door.is(wanted)) {
            return Ok(Place::Stays);
        }
        let acceptor = wanted.acceptor()?;
        // Its own with other TLS settings, or another component's, which is given up or moves: two
        // listeners of one place are no valid plan.
        let is_there =
            |door: &&Door| door.has_place_of(wanted) || (door.endpoint == wanted.endpoint && !is_any(&door.endpoint));
        if let Some(door) = self.0.iter().find(is_there) {
            return Ok(Place::Socket(Arc::clone(&door.socket), door.address, acceptor));
        }
        let setting = format!("{}.{}", wanted.section, wanted.key);
        let socket = net::bind(&wanted.endpoint, &setting).await.map_err(|error| match self.overlaps(wanted) {
            Some(door) => StartError::Overlap {
                error,
                endpoint: door.endpoint.clone(),
                setting: format!("{} ({})", door.id, door.what),
            },
            None => StartError::Bind(error),
        })?;
        let address =
            socket.local_addr().map_err(|source| StartError::System { what: "a listener's address", source })?;
        Ok(Place::Socket(Arc::new(socket), address, acceptor))
    }

    /// A listener of this program on the same port, at another address.
    fn overlaps(&self, wanted: &Wanted) -> Option<&Door> {
        let port = |endpoint: &str| endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let wanted = port(&wanted.endpoint)?;
        self.0.iter().find(|door| door.address.port() == wanted)
    }

    /// Opens what is ready and closes the rest. Returns the listeners that end.
    pub(super) fn open(
        &mut self,
        ready: Vec<Ready>,
        house: &House,
        ground: &Ground,
    ) -> Vec<JoinHandle<Option<Drained>>> {
        let mut before = std::mem::take(&mut self.0);
        for Ready { wanted, place } in ready {
            let at = before.iter().position(|door| door.is(&wanted));
            let Wanted { what, id, section, endpoint, tls, has_guard, group, make, .. } = wanted;
            let is_guarded = has_guard || tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
            let (answers, limits) = make(house, ground);
            let answers = Arc::new(Counted { answers, panics: ground.panics.clone() });
            let (socket, address, acceptor) = match (place, at) {
                (Place::Stays, Some(at)) => {
                    let mut door = before.swap_remove(at);
                    door.service.replace(answers, limits);
                    door.is_guarded = is_guarded;
                    self.0.push(door);
                    continue;
                }
                // Nothing was closed since the place was found.
                (Place::Stays, None) => continue,
                (Place::Socket(socket, address, acceptor), _) => (socket, address, acceptor),
            };
            let mut listener = Listener::from(Arc::clone(&socket));
            if acceptor.is_some() {
                let failed = failed_handshakes(&ground.own).with(&[&section]);
                listener = listener.with_tls(acceptor).on_failed_handshake(move || failed.increment());
            }
            let service = Service::new(answers, limits);
            let shutdown = CancellationToken::new();
            let serve = service.serve(listener, shutdown.clone());
            let served = ground.supervisor.spawn(format!("listener {id} ({what})"), &shutdown, serve);
            self.0.push(Door {
                what,
                id,
                endpoint,
                tls,
                is_guarded,
                group,
                address,
                socket,
                service,
                shutdown,
                served,
            });
        }
        before.into_iter().map(Door::close).collect()
    }

    /// Closes the listeners of a group.
    pub(super) fn close(&mut self, group: Group) -> Vec<JoinHandle<Option<Drained>>> {
        let (closed, open) = std::mem::take(&mut self.0).into_iter().partition(|door| door.group == group);
        self.0 = open;
        Vec::into_iter(closed).map(Door::close).collect()
    }

    /// Where they are.
    pub(super) fn addresses(&self) -> Vec<Address> {
        let address = |door: &Door| Address {
            what: door.what,
            id: door.id.clone(),
            address: door.address,
            is_guarded: door.is_guarded,
        };
        self.0.iter().map(address).collect()
    }
}

impl Door {
    fn close(self) -> JoinHandle<Option<Drained>> {
        self.shutdown.cancel();
        self.served
    }
}

/// Any free port: another one each time.
fn is_any(endpoint: &str) -> bool {
    endpoint.ends_with(":0")
}

/// Answers, and a count of their panics.
struct Counted {
    answers: Answers,
    panics: Counter,
}

impl Handler for Counted {
    type Body = Either<receiver::Reply, PageBody>;

    async fn handle(&self, request: Request<Incoming>) -> Response<Self::Body> {
        match &self.answers {
            Answers::Receiver(answers) => answers.handle(request).await.map(Either::Left),
            Answers::Page(page) => page.handle(request).await.map(Either::Right),
        }
    }

    fn panicked(&self, message: &str) {
        self.panics.increment();
        tracing::error!("a request could not be answered; this is a defect of dragoman: {message}");
    }
}
